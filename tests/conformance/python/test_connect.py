"""What a connect announces, what a publication holds, what a client may not do."""

import re

import pytest
from centrifuge import (
    Publication,
    ReplyError,
    ServerPublicationContext,
    SubscriptionEventHandler,
)

from lib.journal import Journal
from lib.project import Project
from lib.tracker import offsets_from_one


async def test_the_personal_channel_is_announced_with_a_position(server, buyer, track):
    tracker = await track(server, buyer.connect_data())
    connected = await tracker.event("connected")
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", connected.client)
    assert connected.version.startswith("ordercast ")
    subscribed = await tracker.event("subscribed")
    assert subscribed.recoverable
    assert subscribed.positioned
    assert not subscribed.was_recovering
    assert not subscribed.recovered
    assert re.fullmatch(r"[A-Za-z0-9]{1,16}", subscribed.stream_position.epoch)
    assert subscribed.stream_position.offset == 0
    await tracker.fence()
    assert [heard.event for heard in tracker.journal.entries] == [
        "connecting",
        "connected",
        "subscribed",
    ]


async def test_statuses_arrive_in_order_and_hold_nothing_else(server, buyer, track):
    tracker = await track(server, buyer.connect_data())
    channel = (await tracker.event("subscribed")).channel
    order = await buyer.order()
    await buyer.moves(order, "paid", "done", "canceled")
    await tracker.publications(4)
    await tracker.fence()
    assert tracker.all("publication") == [
        ServerPublicationContext(
            channel=channel,
            pub=Publication(
                offset=offset,
                data={"order_id": order, "status": status},
                info=None,
                tags={},
                delta=False,
            ),
        )
        for offset, order, status in offsets_from_one(order, "new", "paid", "done", "canceled")
    ]


async def test_one_connection_carries_all_orders_of_its_user_and_none_of_others(
    server, project, buyer, track
):
    stranger = project.buyer()
    namesake = (await Project.create(server)).buyer(buyer.user)
    tracker = await track(server, buyer.connect_data())
    first = await buyer.order()
    for other in (stranger, namesake):
        await other.moves(await other.order(), "paid")
    second = await buyer.order()
    await buyer.moves(first, "paid")
    await tracker.publications(3)
    await tracker.fence()
    assert tracker.seen() == [(1, first, "new"), (2, second, "new"), (3, first, "paid")]


async def test_project_id_may_be_text_and_user_external_id_may_be_missing(server, buyer, track):
    data = {"auth": buyer.token(), "project_id": str(buyer.project.id)}
    tracker = await track(server, data)
    order = await buyer.order()
    assert await tracker.publications(1) == offsets_from_one(order, "new")


async def test_a_payment_token_follows_all_orders_of_its_user(server, buyer, track):
    bought, payment_token = await buyer.buy()
    tracker = await track(server, buyer.connect_data(auth=payment_token))
    other = await buyer.order()
    assert await tracker.publications(2) == [(1, bought, "new"), (2, other, "new")]


async def test_a_client_may_only_listen(server, buyer, track):
    tracker = await track(server, buyer.connect_data())
    channel = (await tracker.event("subscribed")).channel
    client = tracker.client
    forged = tracker.payload({"order_id": 1, "status": "done"})
    for name in (channel, "news"):
        for refused in (
            client.publish(name, forged),
            client.presence(name),
            client.presence_stats(name),
        ):
            with pytest.raises(ReplyError) as refusal:
                await refused
            assert refusal.value.code == 103
    with pytest.raises(ReplyError) as refusal:
        await client.rpc("anything", forged)
    assert refusal.value.code == 108

    # The session goes on.
    order = await buyer.order()
    assert await tracker.publications(1) == offsets_from_one(order, "new")


# A subscription of the client to its personal channel would give it everything twice.
@pytest.mark.parametrize("which, code", [("another", 103), ("its own", 105)])
async def test_a_client_cannot_subscribe(server, project, buyer, track, which, code):
    tracker = await track(server, buyer.connect_data())
    channel = (await tracker.event("subscribed")).channel
    if which == "another":
        channel = channel.replace(buyer.user, project.buyer().user)
    ends = Journal("subscription")

    class Handlers(SubscriptionEventHandler):
        async def on_subscribed(self, ctx):
            ends.add(ctx)

        async def on_unsubscribed(self, ctx):
            ends.add(ctx)

    await tracker.client.new_subscription(channel, Handlers()).subscribe()
    [end] = await ends.take(1, lambda _: True, "answer to the subscribe")
    assert getattr(end, "code", "subscribed") == code

    order = await buyer.order()
    assert await tracker.publications(1) == offsets_from_one(order, "new")
