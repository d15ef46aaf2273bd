"""A clock that is wrong for a while moves no money: nothing expires, nothing is forgotten."""

import pytest

from server import DAY, LIBRARY, Server, Shop

pytestmark = pytest.mark.skipif(LIBRARY is None, reason="libfaketime is not installed")
DOUBT = "the clock is far from where it was"
BELIEVED = "the clock is believed again"


@pytest.fixture
def clock(tmp_path):
    class Clock:
        path = tmp_path / "clock"

        def step(self, seconds):
            self.path.write_text(f"{seconds:+d}\n")

    clock = Clock()
    clock.step(0)
    return clock


@pytest.mark.parametrize("step", [8 * DAY, 400 * DAY, -8 * DAY])
def test_a_server_that_starts_with_a_wrong_clock_waits(tmp_path, clock, step):
    data = tmp_path / "data"
    server = Server(data, clock.path)
    shop = Shop(server)
    first = shop.order("once")
    server.stop()

    clock.step(step)
    for _ in range(2):
        shop.server = server = Server(data, clock.path)
        server.wait_for(DOUBT)
        # Rows of the wrong time make it no truer.
        shop.order()
        # Said every minute: retention would have begun by then.
        server.wait_for(DOUBT)
        assert shop.status(first) == "new"
        server.kill()

    clock.step(0)
    shop.server = server = Server(data, clock.path)
    assert shop.order("once") == first, "the same key, the same order"
    assert shop.status(first) == "new"
    server.stop()


def test_a_clock_that_steps_under_a_running_server_is_waited_for(tmp_path, clock):
    server = Server(tmp_path / "data", clock.path)
    shop = Shop(server)
    first = shop.order("once")
    clock.step(8 * DAY)
    server.wait_for(DOUBT)
    server.wait_for(DOUBT)
    assert shop.status(first) == "new"
    clock.step(0)
    server.wait_for(BELIEVED)
    assert shop.order("once") == first
    server.stop()
