"""A bad credential ends the client for good, with one attempt and one answer.

Centrifuge SDKs take error 109 as "the token expired": they try to get a new one, have no way to,
and stop as unauthorized.
"""

import asyncio
import json

import jwt
import pytest
from centrifuge import ClientState, ReplyError

from lib.project import Project, now

# The SDK's own numbers for its events.
CONNECT_ERROR = 13
NO_WAY_TO_A_TOKEN = 12
UNAUTHORIZED = 1


def foreign_signature(buyer):
    return {"auth": jwt.encode(buyer.claims(), "another secret of enough bytes, 32", "HS256")}


def unsigned(buyer):
    return {"auth": jwt.encode(buyer.claims(), None, "none")}


TABLE = {
    "a bad signature": foreign_signature,
    "an expired token": lambda buyer: {"auth": buyer.token(exp=now() - 60)},
    "a token without exp": lambda buyer: {"auth": buyer.token(exp=None)},
    "a token that lives too long": lambda buyer: {"auth": buyer.token(exp=now() + 90_000)},
    "a token that is not valid yet": lambda buyer: {"auth": buyer.token(nbf=now() + 300)},
    "an unsigned token": unsigned,
    "no token at all": lambda buyer: {"auth": ""},
    "an unknown payment token": lambda buyer: {"auth": "A" * 32},
    "a token of another user": lambda buyer: {"auth": buyer.project.buyer().token()},
    "a project that does not exist": lambda buyer: {"project_id": 2**31 - 1},
}


@pytest.fixture
async def refused(server, cable_to, track):
    """Asserts that connect data gets one refusal, and no second attempt."""

    async def check(data):
        cable = await cable_to(server)
        tracker = await track(cable, data)
        disconnected = await tracker.event("disconnected")
        assert (disconnected.code, disconnected.reason) == (UNAUTHORIZED, "unauthorized")
        assert tracker.client.state == ClientState.DISCONNECTED
        events = [heard.event for heard in tracker.journal.entries]
        assert events == ["connecting", "error", "error", "disconnected"]
        answer, own = tracker.all("error")
        assert answer.code == CONNECT_ERROR
        assert isinstance(answer.error, ReplyError)
        assert (answer.error.code, answer.error.message) == (109, "token expired")
        assert own.code == NO_WAY_TO_A_TOKEN
        assert cable.dials == 1, "no endless reconnect"

    return check


@pytest.mark.parametrize("wrong", TABLE.values(), ids=TABLE)
async def test_is_terminal(refused, buyer, wrong):
    await refused(buyer.connect_data(**wrong(buyer)))


async def test_another_users_payment_token_is_terminal(refused, project, buyer):
    _, payment_token = await project.buyer().buy()
    await refused(buyer.connect_data(auth=payment_token))


async def test_a_token_of_another_project_is_terminal(refused, server, buyer):
    other = await Project.create(server)
    await refused(buyer.connect_data(project_id=other.id))


async def test_the_server_itself_closes_with_a_terminal_code(server, buyer, cable_to, tracker_at):
    cable = await cable_to(server)
    tracker = tracker_at(cable, buyer.connect_data(**foreign_signature(buyer)))
    closed = asyncio.Event()

    # The SDK hangs up when its handler of the refusal returns. This one is slower than the server.
    async def slow_on_error(context):
        await tracker.event("disconnected")
        closed.set()

    tracker.handlers.on_error = slow_on_error
    await tracker.connect()
    assert closed.is_set(), "there was no refusal"
    [disconnected] = tracker.all("disconnected")
    assert disconnected.code == 3500
    # Older SDKs take JSON there for advice, and reconnect without end.
    with pytest.raises(json.JSONDecodeError):
        json.loads(disconnected.reason)
    assert disconnected.reason
    assert tracker.client.state == ClientState.DISCONNECTED
    assert cable.dials == 1
