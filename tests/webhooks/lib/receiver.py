"""Takes webhooks and keeps them as they came, byte for byte."""

import queue
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from lib.demo import PATIENCE_SECONDS


@dataclass
class Received:
    headers: dict
    """Names in lower case."""
    body: bytes


class Receiver:
    def __init__(self):
        came = self._came = queue.Queue()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                came.put(Received({k.lower(): v for k, v in self.headers.items()}, body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/webhooks"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def take(self, count: int) -> list[Received]:
        return [self._came.get(timeout=PATIENCE_SECONDS) for _ in range(count)]

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
