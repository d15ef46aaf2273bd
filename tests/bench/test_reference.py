"""The load generator against a server that others wrote: it speaks the protocol, not our dialect."""

import json
import os
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
BINARY = os.environ.get("ORDERCAST_BIN") or REPOSITORY / "target/debug/ordercast"
# Built by ./test.
REFERENCE = os.environ.get("REFERENCE_SERVER") or REPOSITORY / "tests/.tools/bin/reference-server"
TOKEN = "the only one"


@contextmanager
def running(*options):
    """Its URL and its process."""
    with subprocess.Popen([REFERENCE, *options], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().strip(), process.pid
        finally:
            process.kill()


@pytest.fixture(scope="module")
def reference():
    with running() as server:
        yield server


@pytest.fixture(scope="module")
def guarded():
    """Lets in whoever shows TOKEN, in connect data or as the connection token."""
    with running("-token", TOKEN) as server:
        yield server


def measure(server, part, *more):
    url, pid = server
    return subprocess.run(
        [BINARY, "bench", "realtime", "--json", "--runs", "1", "--seconds", "1", "--only", part]
        + ["--url", url, "--pid", str(pid), "--connections", "40", *more],
        capture_output=True,
        text=True,
    )


def found_by(finished):
    assert finished.returncode == 0, finished.stderr
    return {figure["name"]: figure for figure in json.loads(finished.stdout)["figures"]}


def figures(server, part, *more):
    # Channels of its own for each part: what came before is not there to be recovered.
    return found_by(measure(server, part, "--channel", f"{part}:{{n}}", "--publish", *more))


@pytest.mark.parametrize("processes", [1, 2])
def test_idle_buyers_are_held_by_one_process_or_by_several(reference, processes):
    idle = ["--settle-seconds", "0", "--idle-seconds", "1", "--processes", str(processes)]
    found = figures(reference, "idle", *idle)
    assert found["user memory per idle buyer"]["median"] >= 0
    assert "40 buyers" in found["user memory per idle buyer"]["beside"]


def test_buyers_come_and_go(reference):
    assert figures(reference, "churn")["session churn, server CPU"]["median"] > 0


def test_every_publication_is_read_once_and_timed(reference):
    found = figures(reference, "latency", "--rate", "200")
    histogram = found["change posted to frame read, p50"]["histogram"]
    assert sum(bucket["count"] for bucket in histogram) == 200


def test_frames_of_several_publications_are_read(reference):
    # A server that has much to say puts it into one frame.
    found = figures(reference, "burst", "--rate", "2000")
    assert found["changes delivered"]["median"] > 0


def test_all_recover_what_they_missed(reference):
    found = figures(reference, "reconnect")
    assert "40 with a change, each read once" in found["reset at once, all back with recovery"]["beside"]


def test_a_token_is_shown(guarded):
    allowed = ["--token", TOKEN, "--channel", "churn:{n}"]
    assert found_by(measure(guarded, "churn", *allowed))["session churn, wall"]["median"] > 0
    refused = measure(guarded, "churn", "--token", "another", "--channel", "churn:{n}")
    assert refused.returncode != 0
    assert '"code":101' in refused.stderr


def test_connect_data_is_shown_and_the_server_may_subscribe(guarded):
    data = json.dumps({"token": TOKEN, "channel": "orders:{n}"})
    idle = ["--settle-seconds", "0", "--idle-seconds", "1", "--processes", "2"]
    for part, more in [("churn", []), ("idle", idle)]:
        assert found_by(measure(guarded, part, "--data", data, *more)), part
    nowhere = json.dumps({"token": TOKEN})
    missing = measure(guarded, "churn", "--data", nowhere)
    assert "is --channel meant?" in missing.stderr
    broken = measure(guarded, "churn", "--data", "{")
    assert "is not JSON" in broken.stderr
