"""What the SDK makes of each end that a client can bring about.

It comes back where coming back helps, and stays away where it does not.
"""

import asyncio

from centrifuge import ClientState, ReplyError

from lib.project import Project
from lib.tracker import offsets_from_one


async def refused_calls(tracker, count):
    """Calls that are refused with 108; all of them, unless the connection ends."""
    calls = (tracker.client.rpc("anything", tracker.payload(None)) for _ in range(count))
    await asyncio.gather(*calls, return_exceptions=True)


async def test_3013_for_too_many_commands_and_it_comes_back(server, buyer, track):
    order = await buyer.order()
    tracker = await track(server, buyer.connect_data())
    await tracker.publications(1)
    await refused_calls(tracker, 60)
    connecting = await tracker.event("connecting", 2)
    assert connecting.code == 3013
    assert connecting.reason
    assert (await tracker.event("subscribed", 2)).recovered
    await buyer.moves(order, "paid")
    assert await tracker.publications(2) == offsets_from_one(order, "new", "paid")


async def test_3501_for_a_command_without_a_channel_for_good(server, buyer, cable_to, track):
    cable = await cable_to(server)
    tracker = await track(cable, buyer.connect_data())
    await tracker.event("subscribed")
    forged = tracker.payload({})
    await asyncio.gather(tracker.client.publish("", forged), return_exceptions=True)
    disconnected = await tracker.event("disconnected")
    assert disconnected.code == 3501
    assert "without channel" in disconnected.reason
    assert tracker.client.state == ClientState.DISCONNECTED
    assert cable.dials == 1


async def test_111_for_a_connection_too_many_until_there_is_room(start_server, track):
    server = await start_server(ORDERCAST_CONNECTIONS_PER_USER="1")
    buyer = (await Project.create(server)).buyer()
    first = await track(server, buyer.connect_data())
    await first.event("connected")
    second = await track(server, buyer.connect_data())
    refusal = (await second.event("error")).error
    assert isinstance(refusal, ReplyError)
    assert (refusal.code, refusal.temporary) == (111, True)
    # It goes on trying by itself; the first one is not disturbed.
    await second.event("error", 3)
    assert len(first.all("connecting")) == 1
    await first.client.disconnect()
    await second.event("connected")
    order = await buyer.order()
    assert await second.publications(1) == offsets_from_one(order, "new")
