"""Asks the real binary all that its OpenAPI document allows, and what it forbids: every answer must
be one that the document names. Each kind of credential has a run of its own."""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

import jwt

HERE = Path(__file__).parent
BINARY = os.environ.get("ORDERCAST_BIN") or HERE.parents[1] / "target/debug/ordercast"
ROOT_KEY = "root-key-of-the-openapi-tests-0123456789abcdef"
JWT_SECRET = "jwt-secret-of-the-openapi-tests-0123456789"
SEED = os.environ.get("ORDERCAST_OPENAPI_SEED", "20261123")
START_SECONDS_MAX = 30
# As in schemathesis.toml.
PROJECT = 1
ORDER = 1000
USER = "user-1"
GUEST = "guest-of-the-openapi-tests"

READS = r"/orders/\{order\}(/versions)?$"

# The schemes that a run has, what it asks, and how many cases an operation gets from the fuzzer.
RUNS = {
    "shop": (
        ["RootKey", "ApiKey", "ApiKeyBasic", "Link", "ProviderSignature"],
        ["--exclude-path-regex", "^/api/v2/(?!.*/admin/)|^/events"],
        10,
    ),
    "user": (["UserJwt"], ["--include-path-regex", f"^/api/v2/(?!.*/admin/)|^/events|{READS}"], 10),
    "guest": (["Guest"], ["--include-path-regex", "^/api/v2/.*(/cart|/order/)"], 5),
    "token": (["PaymentToken"], ["--include-path-regex", f"^/api/v2/.*/order/|^/events|{READS}"], 5),
}


class Server:
    def __init__(self, folder: str):
        self.folder = folder
        self.log: list[str] = []
        with socket.socket() as public, socket.socket() as internal:
            ports = []
            for probe in (public, internal):
                probe.bind(("127.0.0.1", 0))
                ports.append(probe.getsockname()[1])
        port, internal_port = ports
        self.base = f"http://127.0.0.1:{port}"
        self.internal = f"http://127.0.0.1:{internal_port}"
        self._process = subprocess.Popen(
            [BINARY, "serve", "--listen", f"127.0.0.1:{port}", "--data-dir", folder],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={
                "PATH": os.environ["PATH"],
                "RUST_BACKTRACE": "1",
                "ORDERCAST_LOG": "warn,ordercast=info",
                "ORDERCAST_DRAIN_SECONDS": "0",
                "ORDERCAST_INTERNAL_LISTEN": f"127.0.0.1:{internal_port}",
                "ORDERCAST_ROOT_KEY": ROOT_KEY,
                # One caller asks all of it.
                "ORDERCAST_REQUESTS_PER_KEY": "0",
                "ORDERCAST_ORDERS_PER_BUYER": "0",
                "ORDERCAST_POLLS_PER_ORDER": "0",
            },
        )
        threading.Thread(target=self._read_log, daemon=True).start()

    def _read_log(self) -> None:
        for line in self._process.stderr:
            self.log.append(line.rstrip())

    def wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                urllib.request.urlopen(f"{self.base}/health", timeout=5).close()
                return
            except OSError as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    sys.exit(f"the server did not start: {error}\n" + "\n".join(self.log))
                time.sleep(0.05)

    def is_running(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def send(self, method: str, path: str, credential: str, body: object = None) -> dict:
        request = urllib.request.Request(
            self.base + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"authorization": f"Bearer {credential}", "content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)


def prepare(server: Server) -> dict[str, dict]:
    """A project with something of everything; the credentials, by the document's schemes."""
    price = {"amount": "1.99", "currency": "USD"}
    project = {
        "project_id": PROJECT,
        "name": "OpenAPI",
        "hs256_secret": JWT_SECRET,
        "items": [
            {"sku": "sword", "name": "Sword", "price": price, "virtual_prices": [{"sku": "gold", "amount": 1}]},
            {"sku": "free", "name": "Flyer", "is_free": True, "price": price | {"amount": "0"}},
            {"sku": "gold", "name": "Gold", "type": "virtual_currency"},
        ],
    }
    made = server.send("POST", "/v1/projects", ROOT_KEY, project)
    key = made["api_key"]
    at = f"/v1/projects/{PROJECT}"
    order = {"order_id": ORDER, "user_external_id": USER, "price": price, "items": [{"sku": "sword"}]}
    server.send("POST", f"{at}/orders", key, order)
    server.send("POST", f"{at}/users/{USER}/balances/gold", key, {"change": 1_000_000})
    token = server.send("POST", f"{at}/orders/{ORDER}/payment-tokens", key, {})
    link = server.send("POST", f"{at}/orders/{ORDER}/links", key, {})
    claims = {"sub": USER, "exp": int(time.time()) + 3600}
    return {
        "RootKey": {"bearer": ROOT_KEY},
        "ApiKey": {"bearer": key},
        "ApiKeyBasic": {"username": str(PROJECT), "password": key},
        "UserJwt": {"bearer": jwt.encode(claims, JWT_SECRET, algorithm="HS256")},
        "PaymentToken": {"bearer": token["token"]},
        "Link": {"bearer": link["token"]},
        "Guest": {"api_key": GUEST},
        # Only the body's own signature would be right: this run sees that none other is accepted.
        "ProviderSignature": {"api_key": "Signature 00"},
    }


def check(server: Server, credentials: dict, name: str) -> bool:
    schemes, which, examples = RUNS[name]
    print(f"-- as {name}", flush=True)
    config = f"hooks = {json.dumps(str(HERE / 'hooks.py'))}\n" + (HERE / "schemathesis.toml").read_text()
    for scheme in schemes:
        config += f"\n[auth.openapi.{scheme}]\n"
        config += "".join(f"{key} = {json.dumps(value)}\n" for key, value in credentials[scheme].items())
    file = Path(server.folder) / f"{name}.toml"
    file.write_text(config)
    command = [
        str(Path(sys.executable).parent / "schemathesis"),
        *("--config-file", str(file)),
        # The document is on the internal listener, what it describes on the public one.
        *("run", f"{server.internal}/openapi.json", "--url", server.base),
        *which,
        *("--max-examples", str(examples), "--seed", SEED),
        *sys.argv[1:],
    ]
    environment = {"PATH": os.environ["PATH"], "NO_PROXY": "127.0.0.1"}
    return subprocess.run(command, env=environment, cwd=server.folder).returncode == 0


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="ordercast-openapi-") as folder:
        server = Server(folder)
        try:
            server.wait()
            credentials = prepare(server)
            runs = os.environ.get("ORDERCAST_OPENAPI_RUNS", " ".join(RUNS)).split()
            passed = all([check(server, credentials, run) for run in runs])
            blamed = [line for line in server.log if re.search(r"\bERROR\b|panicked", line)]
            if not server.is_running() or blamed:
                print("the server failed:", *server.log[-100:], sep="\n")
                passed = False
        finally:
            server.stop()
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
