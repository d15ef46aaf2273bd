"""`ordercast demo` as its user starts it."""

import json
import os
import queue
import re
import subprocess
import tempfile
import threading
import tomllib
from pathlib import Path

import httpx

REPOSITORY = Path(__file__).parents[3]
BINARY = os.environ.get("ORDERCAST_BIN") or REPOSITORY / "target/debug/ordercast"
PATIENCE_SECONDS = 30


class Demo:
    def __init__(self, *arguments: str):
        self._folder = tempfile.TemporaryDirectory(prefix="ordercast-webhooks-")
        self._process = subprocess.Popen(
            [BINARY, "demo", "--listen", "127.0.0.1:0", "--data-dir", self._folder.name, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={
                "PATH": os.environ["PATH"],
                "ORDERCAST_LOG": "warn",
                # Tests are faster than any provider.
                "ORDERCAST_REQUESTS_PER_KEY": "0",
            },
        )
        self.log = []
        lines = queue.Queue()
        threading.Thread(target=self._read, args=(lines,), daemon=True).start()
        found = {}
        while not {"url", "webhook_secret", "root_key"} <= found.keys():
            line = lines.get(timeout=PATIENCE_SECONDS)
            assert line is not None, "".join(self.log)
            for name, pattern in [
                ("url", r"Demo store\s+(\S+)/demo/"),
                ("webhook_secret", r"Webhook secret\s+(\S+)"),
                ("root_key", r"Root key\s+(\S+)"),
            ]:
                if match := re.search(pattern, line):
                    found[name] = match[1]
        self.url = found["url"]
        self.webhook_secret = found["webhook_secret"]
        keys = tomllib.loads((Path(self._folder.name) / "demo-keys.toml").read_text())
        self.http = httpx.Client(base_url=self.url, timeout=PATIENCE_SECONDS, trust_env=False)
        self.api_key = keys["api_key"]

    def _read(self, lines: queue.Queue) -> None:
        for line in self._process.stdout:
            self.log.append(line)
            lines.put(line)
        lines.put(None)

    def stop(self) -> None:
        self.http.close()
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()
        self._folder.cleanup()

    def shop(self, method: str, path: str, **body) -> dict:
        """A call of the shop's backend, below its project."""
        answer = self.http.request(
            method,
            f"/v1/projects/1/{path}",
            headers={"Authorization": f"Bearer {self.api_key}"},
            json=body or None,
        )
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else {}

    def buyer(self, name: str) -> dict:
        return self.http.post("/demo/sign-in", json={"user": name}).json()

    def buy(self, buyer: dict, sku: str) -> int:
        """As the store's page does. The order's id."""
        answer = self.http.post(
            f"/api/v2/project/1/payment/item/{sku}",
            headers={"Authorization": f"Bearer {buyer['token']}"},
            json={"quantity": 1, "sandbox": True},
        )
        assert answer.is_success, answer.text
        return answer.json()["order_id"]

    def command(self, *arguments: str) -> list:
        """Of the binary, with this server as its target."""
        name, *rest = arguments
        return [BINARY, name, "--url", self.url, *rest]

    def trigger(self, *arguments: str) -> str:
        """What a provider told, and how it was answered."""
        command = self.command("trigger", "--data-dir", self._folder.name, *arguments)
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def watch(self, buyer: dict, order: int) -> subprocess.Popen:
        """A tracking client; a line of JSON for each event, and its end with the order's."""
        command = self.command("watch", "--order", str(order), "--json")
        env = {"PATH": os.environ["PATH"], "ORDERCAST_TOKEN": buyer["token"]}
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)


def statuses(watch: subprocess.Popen) -> list:
    """All that a tracking client saw, once the order has ended."""
    # A backend that was down is tried again after ever longer pauses.
    output, _ = watch.communicate(timeout=4 * PATIENCE_SECONDS)
    events = [json.loads(line) for line in output.splitlines()]
    return [event["status"] for event in events if event["event"] == "status"]
