"""What happened before a client connected arrives as ordinary publications."""

import asyncio

from lib.tracker import offsets_from_one

# Realtime contract, A4.
REPLAYED_MAX = 64
LIFE = ("new", "paid", "done", "canceled")


async def test_statuses_from_before_the_connect_follow_it_in_order(server, buyer, track):
    order = await buyer.order()
    await buyer.moves(order, "paid")
    tracker = await track(server, buyer.connect_data())
    await tracker.publications(2)
    await buyer.moves(order, "done")
    await tracker.publications(3)
    await tracker.fence()
    assert tracker.seen() == offsets_from_one(order, "new", "paid", "done")
    assert [heard.event for heard in tracker.journal.entries][:4] == [
        "connecting",
        "connected",
        "subscribed",
        "publication",
    ]
    [subscribed] = tracker.all("subscribed")
    assert subscribed.stream_position.offset == 0, "the position from which the pushes follow"


async def test_no_more_than_the_last_are_repeated_and_the_position_says_so(server, buyer, track):
    log = []
    while len(log) <= REPLAYED_MAX:
        order = await buyer.order()
        await buyer.moves(order, *LIFE[1:])
        log += [(len(log) + at, order, status) for at, status in enumerate(LIFE, start=1)]
    tracker = await track(server, buyer.connect_data())
    subscribed = await tracker.event("subscribed")
    assert subscribed.stream_position.offset == len(log) - REPLAYED_MAX
    await tracker.publications(REPLAYED_MAX)
    await tracker.fence()
    assert tracker.seen() == log[-REPLAYED_MAX:]


async def test_an_order_that_changes_while_clients_connect_is_seen_whole(server, buyer, track):
    order = await buyer.order()
    _, *trackers = await asyncio.gather(
        buyer.moves(order, *LIFE[1:]),
        *(track(server, buyer.connect_data()) for _ in range(6)),
    )
    for tracker in trackers:
        await tracker.publications(len(LIFE))
        await tracker.fence()
        assert tracker.seen() == offsets_from_one(order, *LIFE)
