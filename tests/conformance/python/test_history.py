"""History of the personal channel, every row of the protocol's table.

The SDK offers it for server-side subscriptions too, as `Client.history(channel, ...)`.
"""

import pytest
from centrifuge import ReplyError, StreamPosition


async def write_history(buyer):
    """The channel's log: offsets 1 to 5, two orders."""
    first, second = await buyer.order(), await buyer.order()
    await buyer.moves(first, "paid", "done")
    await buyer.moves(second, "paid")
    return [
        (1, first, "new"),
        (2, second, "new"),
        (3, first, "paid"),
        (4, first, "done"),
        (5, second, "paid"),
    ]


# Limit, offset of since, reverse; the offsets that the request gives.
TABLE = {
    "the page that integrators copy": ((-1, 0, False), [1, 2, 3, 4, 5]),
    "limit 0: the position only": ((0, None, False), []),
    "limit -1": ((-1, None, False), [1, 2, 3, 4, 5]),
    "limit 2: the oldest": ((2, None, False), [1, 2]),
    "limit above the top": ((100, None, False), [1, 2, 3, 4, 5]),
    "reverse": ((-1, None, True), [5, 4, 3, 2, 1]),
    "reverse, limit 2: the newest": ((2, None, True), [5, 4]),
    "since, limit 0": ((0, 2, False), []),
    "since": ((-1, 2, False), [3, 4, 5]),
    "since, limit 2": ((2, 1, False), [2, 3]),
    "since the top": ((-1, 5, False), []),
    "since, reverse": ((-1, 3, True), [2, 1]),
    "since, reverse, limit 1": ((1, 5, True), [4]),
}


async def test_history_gives_what_is_asked_and_always_the_top(server, buyer, track):
    log = await write_history(buyer)
    tracker = await track(server, buyer.connect_data())
    subscribed = await tracker.event("subscribed")
    epoch = subscribed.stream_position.epoch
    for name, ((limit, offset, reverse), offsets) in TABLE.items():
        expected = ([log[offset - 1] for offset in offsets], StreamPosition(5, epoch))
        # An empty epoch matches any.
        for since_epoch in ("", epoch):
            since = None if offset is None else StreamPosition(offset, since_epoch)
            given = await tracker.history(subscribed.channel, limit, since, reverse)
            assert given == expected, name


async def test_a_channel_without_publications_has_an_epoch_and_the_top_0(server, buyer, track):
    tracker = await track(server, buyer.connect_data())
    subscribed = await tracker.event("subscribed")
    given = await tracker.history(subscribed.channel, -1, StreamPosition(0, ""))
    assert given == ([], StreamPosition(0, subscribed.stream_position.epoch))


REFUSALS = {
    "another epoch": (112, lambda own, other: (own, -1, StreamPosition(1, "wrong"))),
    "reverse from 0": (107, lambda own, other: (own, -1, StreamPosition(0, ""), True)),
    "the channel of another buyer": (103, lambda own, other: (other, -1)),
    "a channel of nobody": (103, lambda own, other: ("news", -1)),
}


@pytest.mark.parametrize("code, request_of", REFUSALS.values(), ids=REFUSALS)
async def test_is_refused(server, project, buyer, track, code, request_of):
    log = await write_history(buyer)
    stranger = project.buyer()
    await stranger.order()
    other = (await (await track(server, stranger.connect_data())).event("subscribed")).channel
    tracker = await track(server, buyer.connect_data())
    own = (await tracker.event("subscribed")).channel
    assert own != other
    with pytest.raises(ReplyError) as refusal:
        await tracker.history(*request_of(own, other))
    assert refusal.value.code == code
    # The session goes on.
    assert (await tracker.history(own, -1))[0] == log
