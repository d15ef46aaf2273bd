"""A snapshot of the whole folder is put back: the first who has seen more proves it for all."""

import shutil

from server import Server, Shop, subscribed


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
