"""Bought, paid and granted once, while the provider and the shop's backend do all that they can."""

import random
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

from lib.demo import PATIENCE_SECONDS, Demo, statuses

SHOP = Path(__file__).parent / "shop.py"
ITEMS = ["artifact_centaurs_axe", "ember_lantern", "draught_second_wind", "wayfinder_astrolabe"]
WAY = ["order.created", "order.paid", "order.done"]
SEED = 20_261_124


class Backend:
    """The shop's backend, a process of its own."""

    def __init__(self, folder: Path):
        self.database = folder / "shop.db"
        # Nobody is given it while the shop is down: it stays bound, without being listened at.
        self._port = socket.socket()
        self._port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._port.bind(("127.0.0.1", 0))
        self.port = self._port.getsockname()[1]
        self.process = None

    def start(self, secret: str, *arguments: str) -> None:
        command = [sys.executable, SHOP, str(self.port), self.database, secret, *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.wait_for("ready")

    def wait_for(self, word: str) -> None:
        """A hang here ends with the whole suite's time limit; the shop says each word once."""
        line = self.process.stdout.readline().strip()
        assert line == word, f"the shop said {line!r} instead of {word!r}"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def rows(self, query: str) -> list:
        with sqlite3.connect(self.database) as db:
            return db.execute(query).fetchall()


def test_each_order_is_granted_once(tmp_path):
    luck = random.Random(SEED)
    backend = Backend(tmp_path)
    demo = Demo("--backend", f"http://127.0.0.1:{backend.port}/webhooks")
    backend.start(demo.webhook_secret, "--die", "before")
    try:
        orders, watches = {}, []
        for number, sku in enumerate(ITEMS * 2):
            name = f"buyer-{number}"
            buyer = demo.buyer(name)
            order = demo.buy(buyer, sku)
            orders[order] = name
            watches.append(demo.watch(buyer, order))
        # Every event three times, in an order that no provider promised.
        for order in orders:
            events = ["payment", "order_paid"] * 3
            luck.shuffle(events)
            told = demo.trigger(*events, "--separate", "--order", str(order))
            assert told.count(" 200 ") == len(events), told
        backend.wait_for("to be killed before its grant")
        backend.kill()
        backend.start(demo.webhook_secret, "--die", "after")
        backend.wait_for("to be killed after its grant")
        backend.kill()
        backend.start(demo.webhook_secret)
        for watch in watches:
            assert statuses(watch) == ["new", "paid", "done"]
        granted = sorted(backend.rows("SELECT order_id, user FROM grants"))
        assert granted == sorted(orders.items()), "each order once, to its buyer"

        # What was taken came in order, and was not sent again.
        taken = backend.rows("SELECT order_id, type, count(*) FROM calls WHERE answer = 204 GROUP BY 1, 2")
        assert all(count == 1 for *_, count in taken), taken
        for order in orders:
            query = f"SELECT type FROM calls WHERE order_id = {order} AND answer = 204 ORDER BY rowid"
            types = [type for (type,) in backend.rows(query)]
            assert types == [type for type in WAY if type in types], "in the order of the events"
        failed = backend.rows("SELECT count(*) FROM calls WHERE answer = 500")[0][0]
        assert failed >= len(orders), "the shop did fail"
    except BaseException:
        print("".join(demo.log))
        raise
    finally:
        backend.kill()
        demo.stop()
