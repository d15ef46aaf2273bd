"""A shop's backend as a small shop would write it: grants an item when its order is paid.

Told twice, it grants once: the webhook's id and the grant are written in one transaction. It verifies
with the official library of Standard Webhooks. For the test it also fails: every second call is answered
with 500, before its work or after it in turn; and `--die before|after` stops at that place of its first
grant and waits to be killed.

    python shop.py PORT DATABASE SECRET [--die before|after]
"""

import argparse
import sqlite3
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

SCHEMA = """
CREATE TABLE IF NOT EXISTS seen (webhook_id TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS grants (order_id INTEGER, user TEXT);
CREATE TABLE IF NOT EXISTS calls (webhook_id TEXT, type TEXT, order_id INTEGER, answer INTEGER);
"""


def say(word: str) -> None:
    print(word, flush=True)


class Shop:
    def __init__(self, path: str, secret: str, die: str | None):
        self.webhook = Webhook(secret)
        self.calls = 0
        self._die = die
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.executescript(SCHEMA)

    def take(self, headers: dict, body: bytes) -> int:
        """The status to answer with."""
        try:
            event = self.webhook.verify(body, headers)
        except WebhookVerificationError:
            return 400
        with self._lock:
            self.calls += 1
            fails_before, fails_after = self.calls % 4 == 2, self.calls % 4 == 0
            if not fails_before:
                self._apply(headers["webhook-id"], event)
            answer = 500 if fails_before or fails_after else 204
            row = headers["webhook-id"], event["type"], event["data"]["order_id"], answer
            self._db.execute("INSERT INTO calls VALUES (?, ?, ?, ?)", row)
            return answer

    def _apply(self, webhook_id: str, event: dict) -> None:
        is_grant = event["type"] == "order.paid"
        if is_grant:
            self._wait_for_the_end("before")
        self._db.execute("BEGIN IMMEDIATE")
        is_new = self._db.execute("INSERT OR IGNORE INTO seen VALUES (?)", [webhook_id]).rowcount
        if is_new and is_grant:
            data = event["data"]
            row = data["order_id"], data["user_external_id"]
            self._db.execute("INSERT INTO grants VALUES (?, ?)", row)
        self._db.execute("COMMIT")
        if is_grant:
            self._wait_for_the_end("after")

    def _wait_for_the_end(self, place: str) -> None:
        if self._die == place:
            say(f"to be killed {place} its grant")
            threading.Event().wait()


def handler(shop: Shop) -> type:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.send_response(shop.take(headers, body))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    return Handler


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("database")
    parser.add_argument("secret")
    parser.add_argument("--die", choices=["before", "after"])
    args = parser.parse_args()
    shop = Shop(args.database, args.secret, args.die)
    server = ThreadingHTTPServer(("127.0.0.1", args.port), handler(shop))
    say("ready")
    server.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
