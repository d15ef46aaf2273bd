"""The real binary, on a free port, with a data folder of its own."""

import asyncio
import os
import random
import signal
import socket
import tempfile
from pathlib import Path

import httpx

from lib.journal import PATIENCE_SECONDS, Journal, in_time

REPOSITORY = Path(__file__).parents[4]
BINARY = os.environ.get("ORDERCAST_BIN") or REPOSITORY / "target/debug/ordercast"
HOST = "127.0.0.1"
ROOT_KEY = "root-key-of-the-conformance-tests-0123456789"
LOG_LINES_SHOWN = 200
LOG_LINE_BYTES_MAX = 1 << 20
# Below the ports that systems hand out by themselves: nobody gets ours while the server is down.
PORTS = range(20_000, 32_000)

# For the log that a failing test shows.
running: set["Server"] = set()


class Server:
    host = HOST

    def __init__(self, settings: dict[str, str]):
        self.port = free_port()
        self.is_secure = "ORDERCAST_TLS_CERTIFICATE" in settings
        self.log = Journal("server log")
        # Where in the log the running test began.
        self.test_began = 0
        self._process: asyncio.subprocess.Process | None = None
        self._settings = settings
        self._folder = tempfile.TemporaryDirectory(prefix="ordercast-conformance-")
        # A connection for each request: none is left that a kill would break. No proxy of the
        # environment stands before the loopback.
        self._http = httpx.AsyncClient(
            base_url=f"{'https' if self.is_secure else 'http'}://{HOST}:{self.port}",
            limits=httpx.Limits(max_keepalive_connections=0),
            timeout=PATIENCE_SECONDS,
            trust_env=False,
            verify=False,
        )

    @classmethod
    async def start(cls, **settings: str) -> "Server":
        """`settings`: environment variables, for example `ORDERCAST_PING_SECONDS`."""
        server = cls(settings)
        running.add(server)
        try:
            await server.start_again()
        except BaseException:
            # Nobody else holds it yet; the log goes with it, so it is in the failure's text.
            await server.stop()
            raise
        return server

    async def start_again(self) -> None:
        """Starts on the same port and the same data."""
        since = len(self.log.entries)
        self._process = await asyncio.create_subprocess_exec(
            BINARY,
            *("serve", "--listen", f"{HOST}:{self.port}"),
            *("--data-dir", self._folder.name, "--log-format", "json"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            limit=LOG_LINE_BYTES_MAX,
            env={
                "PATH": os.environ["PATH"],
                "RUST_BACKTRACE": "1",
                "ORDERCAST_LOG": "info,ordercast_server=debug",
                "ORDERCAST_DRAIN_SECONDS": "0",
                "ORDERCAST_ROOT_KEY": ROOT_KEY,
                # Tests are faster than any shop.
                "ORDERCAST_REQUESTS_PER_KEY": "0",
                **self._settings,
            },
        )
        self._reading = asyncio.create_task(self._read_log(self._process))
        await self.log.take(1, is_start_or_end, "line that tells the address", since)
        assert self._process.returncode is None, f"the server did not start:\n{self.log_text()}"

    async def _read_log(self, process: asyncio.subprocess.Process) -> None:
        async for line in process.stderr:
            self.log.add(line.decode().rstrip())
        self.log.add(f"-- ended with {await process.wait()}")

    async def end(self, how: signal.Signals) -> int:
        """Ends the process if it still runs; its exit code, negative for a signal."""
        if self._process.returncode is None:
            self._process.send_signal(how)
        await in_time(asyncio.shield(self._reading), f"end of the server after {how.name}")
        return self._process.returncode

    async def stop(self) -> None:
        if self._process is not None:
            await self.end(signal.SIGKILL)
        await self._http.aclose()
        self._folder.cleanup()
        running.discard(self)

    async def request(
        self, method: str, path: str, credential: str, body: dict | None = None
    ) -> httpx.Response:
        headers = {"authorization": f"Bearer {credential}"}
        return await self._http.request(method, path, headers=headers, json=body)

    def errors(self) -> list[str]:
        return [
            line for line in self.log.entries if '"level":"ERROR"' in line or "panicked" in line
        ]

    def log_text(self) -> str:
        return "\n".join(self.log.entries[self.test_began :][-LOG_LINES_SHOWN:])


def is_start_or_end(line: str) -> bool:
    return '"message":"serving"' in line or line.startswith("-- ended")


def free_port() -> int:
    for port in random.sample(PORTS, 100):
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise AssertionError(f"100 ports of {PORTS} are taken")
