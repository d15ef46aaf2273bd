"""The load generator against a server that others wrote: it speaks the protocol, not our dialect."""

import json
import os
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
BINARY = os.environ.get("ORDERCAST_BIN") or REPOSITORY / "target/debug/ordercast"
# Built by ./test.
REFERENCE = os.environ.get("REFERENCE_SERVER") or REPOSITORY / "tests/.tools/bin/reference-server"


@pytest.fixture(scope="module")
def reference():
    with subprocess.Popen([REFERENCE], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().strip(), process.pid
        finally:
            process.kill()


def figures(reference, part, *more):
    url, pid = reference
    # Channels of its own for each part: what came before is not there to be recovered.
    channel = f"{part}:{{n}}"
    finished = subprocess.run(
        [BINARY, "bench", "realtime", "--json", "--runs", "1", "--seconds", "1", "--only", part]
        + ["--url", url, "--pid", str(pid), "--channel", channel, "--publish", "--connections", "40"]
        + list(more),
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, finished.stderr
    return {figure["name"]: figure for figure in json.loads(finished.stdout)["figures"]}


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
