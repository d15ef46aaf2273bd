"""The real binary with a clock of its own, and the few requests that these tests make."""

import glob
import json
import os
import queue
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

BINARY = os.environ.get("ORDERCAST_BIN", "target/debug/ordercast")
ROOT_KEY = "root-key-of-the-time-test-0123456789"
LIBRARY = next(iter(glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")), None)
DAY = 24 * 3600
PATIENCE = 120


class Server:
    """`clock`: a file with the offset of the server's clock, which may change while it runs."""

    def __init__(self, folder, clock=None):
        environment = dict(os.environ, ORDERCAST_ROOT_KEY=ROOT_KEY)
        if clock is not None:
            environment |= {
                "LD_PRELOAD": LIBRARY,
                "FAKETIME_TIMESTAMP_FILE": str(clock),
                "FAKETIME_NO_CACHE": "1",
                # Only the time of day steps.
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            }
        command = [BINARY, "serve", "--listen", "127.0.0.1:0", "--log-format", "json"]
        self.process = subprocess.Popen(
            [*command, "--data-dir", str(folder)], stderr=subprocess.PIPE, text=True, env=environment
        )
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.base = "http://" + self.wait_for("serving")["address"]

    def _read(self):
        for line in self.process.stderr:
            self.lines.put(line)

    def wait_for(self, words):
        """The first log entry from now on whose message has these words."""
        seen = []
        end = time.monotonic() + PATIENCE
        while (left := end - time.monotonic()) > 0:
            try:
                line = self.lines.get(timeout=left)
            except queue.Empty:
                break
            seen.append(line)
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if words in entry.get("message", ""):
                return entry
        raise AssertionError(f"{words!r} was not logged: {''.join(seen[-20:])}")

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def request(self, method, path, key=ROOT_KEY, body=None, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        headers |= {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")


class Shop:
    def __init__(self, server):
        self.server = server
        status, project = server.request(
            "POST", "/v1/projects", body={"project_id": 7, "name": "Shop"}
        )
        assert status == 201, project
        self.key = project["api_key"]

    def order(self, key=None, user="alice"):
        body = {"user_external_id": user, "price": {"amount": "1.99", "currency": "USD"}}
        headers = {"Idempotency_Key": key} if key else {}
        status, order = self.server.request(
            "POST", "/v1/projects/7/orders", self.key, body, **headers
        )
        assert status == 201, order
        return order["order_id"]

    def token(self, order):
        path = f"/v1/projects/7/orders/{order}/payment-tokens"
        status, made = self.server.request("POST", path, self.key, {})
        assert status == 201, made
        return made["token"]

    def status(self, order):
        return self.server.request("GET", f"/v1/projects/7/orders/{order}", self.key)[1]["status"]

    def events(self, after):
        path = f"/v1/projects/7/events?after={after}"
        return self.server.request("GET", path, self.key)


def subscribed(server, token, position=None):
    """What a connect is told of its channel; `position`: epoch and offset that it recovers from."""
    channel = "orders:7#alice"
    connect = {"data": {"auth": token, "project_id": 7}}
    if position:
        epoch, offset = position
        connect["subs"] = {channel: {"recover": True, "epoch": epoch, "offset": offset}}
    query = urllib.parse.urlencode({"cf_connect": json.dumps(connect)})
    with urllib.request.urlopen(f"{server.base}/connection/uni_sse?{query}", timeout=30) as stream:
        for line in stream:
            if line.startswith(b"data: ") and b"connect" in line:
                return json.loads(line[6:])["connect"]["subs"][channel]
    raise AssertionError("no connect reply")
