"""A snapshot of the whole folder is put back: the first who has seen more proves it for all."""

import shutil
import subprocess
import threading

from server import BINARY, Server, Shop, subscribed


def test_who_has_seen_more_is_told_and_so_is_everybody_else(tmp_path):
    data, kept = tmp_path / "data", tmp_path / "kept"
    server = Server(data)
    shop = Shop(server)
    numbers = [shop.order() for _ in range(3)]
    token = shop.token(numbers[0])
    server.kill()
    shutil.copytree(data, kept)

    shop.server = server = Server(data)
    lost = [shop.order() for _ in range(3)]
    seen = subscribed(server, token)
    assert seen.get("offset", 0) == 0, "all six follow"
    _, page = shop.events(0)
    cursor, last = page["cursor"], page["last_id"]
    server.kill()
    shutil.rmtree(data)
    shutil.copytree(kept, data)

    shop.server = server = Server(data)
    again = subscribed(server, token, (seen["epoch"], 6))
    assert not again.get("recovered") and again["epoch"] != seen["epoch"]
    # Everybody else of that epoch, also who has seen less than there is again.
    behind = [shop.order() for _ in range(4)]
    other = subscribed(server, token, (seen["epoch"], 6))
    assert not other.get("recovered") and other["epoch"] == again["epoch"]
    # No number has two meanings.
    assert min(behind) > max(lost + numbers)
    # The shop's backend, by either kind of cursor.
    for after in (cursor, last):
        status, problem = shop.events(after)
        assert (status, problem["code"]) == (410, "cursor_lost"), problem
        status, page = shop.events(problem["begin_cursor"])
        assert status == 200
        assert {event["data"]["order_id"] for event in page["events"]} >= set(behind)
    server.kill()

    shop.server = server = Server(data)
    assert subscribed(server, token)["epoch"] == again["epoch"], "a restart proves continuity"
    server.stop()


def test_nobody_forces_a_new_epoch(tmp_path):
    server = Server(tmp_path / "data")
    shop = Shop(server)
    token = shop.token(shop.order())
    epoch = subscribed(server, token)["epoch"]
    server.stop()
    shop.server = server = Server(tmp_path / "data")
    for made_up in ["", "abcdefgh1", "abcdefgh999", "abcdefghijklm", epoch[:-1] + "?"]:
        told = subscribed(server, token, (made_up, 1_000))
        assert told["epoch"] == epoch and not told.get("recovered"), made_up
    server.stop()


def test_a_backup_of_a_busy_server_goes_on_beyond_what_was_lost(tmp_path):
    data, other, copy = tmp_path / "data", tmp_path / "other", tmp_path / "copy.db"
    server = Server(data)
    shop = Shop(server)
    before = shop.order()
    lost, is_over = [], threading.Event()

    def sell():
        while not is_over.is_set():
            lost.append(shop.order())

    sellers = [threading.Thread(target=sell) for _ in range(4)]
    for seller in sellers:
        seller.start()
    # It ends although somebody always writes.
    ordercast("backup", "--data-dir", data, copy)
    is_over.set()
    for seller in sellers:
        seller.join()
    server.kill()

    ordercast("restore", "--data-dir", other, copy)
    shutil.copy(data / "secrets.key", other / "secrets.key")
    shop.server = server = Server(other)
    assert shop.status(before) == "new"
    assert shop.order() > max(lost)
    server.kill()

    # An interrupted restore is finished, not forgotten.
    (other / "ordercast.db").rename(other / "ordercast.db.before-restore-1")
    refused = subprocess.run(
        [BINARY, "serve", "--listen", "127.0.0.1:0", "--data-dir", other],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert refused.returncode != 0 and "a restore was interrupted" in refused.stderr
    ordercast("restore", "--data-dir", other, copy)
    shop.server = server = Server(other)
    assert shop.status(before) == "new"
    server.stop()


def ordercast(*arguments):
    ran = subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
