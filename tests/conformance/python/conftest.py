"""Servers, projects and trackers for the tests; the servers' logs when one fails."""

import pytest

from lib.cable import Cable
from lib.project import Project
from lib.server import Server, running
from lib.tracker import Tracker


async def stop_blameless(server):
    await server.stop()
    assert server.errors() == [], "the server logged errors"


@pytest.fixture(params=["json", "protobuf"])
def encoding(request):
    return request.param


@pytest.fixture(scope="session")
async def server():
    """One for all tests that leave it alone; each test has buyers of its own."""
    server = await Server.start()
    yield server
    await stop_blameless(server)


@pytest.fixture(scope="session")
async def project(server):
    return await Project.create(server)


@pytest.fixture
def buyer(project):
    return project.buyer()


@pytest.fixture
async def start_server():
    """Starts servers that the test may kill."""
    servers = []

    async def start(**settings):
        servers.append(await Server.start(**settings))
        return servers[-1]

    yield start
    for server in servers:
        await stop_blameless(server)


@pytest.fixture
async def cable_to():
    cables = []

    async def lay(server):
        cables.append(await Cable.to(server))
        return cables[-1]

    yield lay
    for cable in cables:
        await cable.close()


@pytest.fixture
async def tracker_at(encoding):
    """Makes trackers that end with the test, not connected yet."""
    trackers = []

    def make(at, data, **options):
        trackers.append(Tracker(at, encoding, data, **options))
        return trackers[-1]

    yield make
    for tracker in trackers:
        await tracker.client.disconnect()


@pytest.fixture
def track(tracker_at):
    """Connects a tracker: `await track(at, data)`."""

    async def connect(at, data):
        tracker = tracker_at(at, data)
        await tracker.connect()
        return tracker

    return connect


def pytest_runtest_setup():
    for server in running:
        server.test_began = len(server.log.entries)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed:
        logs = "\n--\n".join(server.log_text() for server in running)
        report.sections.append(("server log", logs))
    return report
