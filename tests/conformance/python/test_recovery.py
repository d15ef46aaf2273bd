"""The network fails, the server dies or is replaced; every change arrives once, in order."""

import signal
from dataclasses import dataclass

import pytest

from lib.cable import Cable
from lib.project import Buyer, Project
from lib.server import Server
from lib.tracker import Tracker, offsets_from_one


@dataclass
class Scene:
    """A tracker behind a cable, with one order that it has seen as `new`."""

    server: Server
    cable: Cable
    buyer: Buyer
    order: int
    tracker: Tracker

    async def lost(self, connection: int = 1) -> None:
        """Waits until the client knows that this connection has ended."""
        await self.tracker.event("connecting", connection + 1)

    async def assert_whole(self, *statuses: str, connections: int = 2) -> None:
        """Recovered on each connection, in the same epoch, each status once and in order."""
        tracker = self.tracker
        expected = offsets_from_one(self.order, *statuses)
        assert await tracker.publications(len(statuses)) == expected
        await tracker.event("subscribed", connections)
        await tracker.fence()
        assert tracker.seen() == expected
        first, *later = tracker.all("subscribed")
        assert len(later) == connections - 1
        for again in later:
            assert again.was_recovering
            assert again.recovered
            assert again.stream_position.epoch == first.stream_position.epoch


@pytest.fixture
def scene_at(start_server, cable_to, track):
    async def make(is_direct=False, **settings):
        server = await start_server(**settings)
        cable = await cable_to(server)
        buyer = (await Project.create(server)).buyer()
        order = await buyer.order()
        tracker = await track(server if is_direct else cable, buyer.connect_data())
        await tracker.publications(1)
        return Scene(server, cable, buyer, order, tracker)

    return make


async def test_changes_while_the_network_is_cut_arrive_after_it(scene_at):
    scene = await scene_at()
    scene.cable.cut()
    await scene.lost()
    await scene.buyer.moves(scene.order, "paid", "done")
    scene.cable.mend()
    await scene.assert_whole("new", "paid", "done")
    again = await scene.tracker.event("subscribed", 2)
    assert again.stream_position.offset == 1, "the client's own position"


async def test_changes_that_were_sent_into_a_dead_connection_arrive_on_the_next(scene_at):
    scene = await scene_at()
    scene.cable.lose_answers()
    await scene.buyer.moves(scene.order, "paid", "done")
    scene.cable.cut()
    await scene.lost()
    assert scene.tracker.seen() == offsets_from_one(scene.order, "new"), "the cable is deaf"
    scene.cable.mend()
    await scene.assert_whole("new", "paid", "done")


async def test_a_reconnect_that_missed_nothing_is_recovered_with_nothing(scene_at):
    scene = await scene_at()
    scene.cable.cut()
    await scene.lost()
    scene.cable.mend()
    await scene.tracker.event("subscribed", 2)
    await scene.assert_whole("new")
    await scene.buyer.moves(scene.order, "paid")
    await scene.assert_whole("new", "paid")


async def test_a_killed_server_comes_back_with_what_was_committed_before_and_after(scene_at):
    scene = await scene_at()
    # "paid" is committed and never reaches the client; "done" comes while the client is away.
    scene.cable.lose_answers()
    await scene.buyer.moves(scene.order, "paid")
    assert await scene.server.end(signal.SIGKILL) == -signal.SIGKILL
    await scene.lost()
    scene.cable.cut()
    await scene.server.start_again()
    await scene.buyer.moves(scene.order, "done")
    scene.cable.mend()
    await scene.assert_whole("new", "paid", "done")
    again = await scene.tracker.event("subscribed", 2)
    assert again.stream_position.offset == 1, "the client's own position"
    await scene.buyer.moves(scene.order, "canceled")
    await scene.assert_whole("new", "paid", "done", "canceled")


async def test_a_client_that_dials_the_server_itself_survives_kill_after_kill(scene_at):
    scene = await scene_at(is_direct=True)
    statuses = ["new"]
    for kills, status in enumerate(("paid", "done", "canceled"), start=1):
        await scene.server.end(signal.SIGKILL)
        await scene.lost(kills)
        await scene.server.start_again()
        # Races with the client's return: by recovery or as a push, it comes once.
        await scene.buyer.moves(scene.order, status)
        statuses.append(status)
        await scene.assert_whole(*statuses, connections=kills + 1)


async def test_a_stopped_server_drains_with_3001_and_comes_back(scene_at):
    scene = await scene_at(ORDERCAST_DRAIN_SECONDS="1")
    assert await scene.server.end(signal.SIGTERM) == 0
    connecting = await scene.tracker.event("connecting", 2)
    assert connecting.code == 3001
    assert connecting.reason
    await scene.server.start_again()
    await scene.buyer.moves(scene.order, "paid")
    await scene.assert_whole("new", "paid")
