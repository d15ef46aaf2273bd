"""Official verifiers, of Python and of Node, take all that is sent and nothing that differs from it."""

import base64
import json
import subprocess
from pathlib import Path

import pytest
import standardwebhooks
import svix.webhooks
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from lib.demo import Demo
from lib.mutations import mutations
from lib.receiver import Received, Receiver

HERE = Path(__file__).parent
MODES = ["standard", "reference_separate", "reference_combined"]


@pytest.fixture(scope="module")
def demo():
    demo = Demo()
    yield demo
    demo.stop()


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.stop()


def sell(demo: Demo, name: str) -> None:
    """An order's whole life: created, paid, done, canceled."""
    order = demo.buy(demo.buyer(name), "ember_lantern")
    for status in ("paid", "done", "canceled"):
        demo.shop("POST", f"orders/{order}/transitions", to=status)


def all_of(demo: Demo, receiver: Receiver, mode: str, **settings) -> tuple[dict, list[Received]]:
    """The endpoint, and every kind of webhook that it can get: with two test events before and after
    a rotation."""
    endpoint = demo.shop("POST", "endpoints", url=receiver.url, mode=mode, **settings)
    demo.shop("POST", f"endpoints/{endpoint['id']}/test")
    sell(demo, f"buyer-{mode}")
    count = {"standard": 4, "reference_separate": 4, "reference_combined": 2}[mode]
    return endpoint, receiver.take(1 + count)


def accepts(verifier, received: Received) -> bool:
    try:
        verifier.verify(received.body, received.headers)
    except (standardwebhooks.WebhookVerificationError, ValueError):
        return False
    return True


def changed(received: Received) -> list[Received]:
    """Everything that is signed, each byte of it by itself."""
    cases = [Received(received.headers, body) for body in mutations(received.body)]
    for name in ("webhook-id", "webhook-timestamp"):
        for value in mutations(received.headers[name].encode()):
            cases.append(Received(received.headers | {name: value.decode()}, received.body))
    return cases


@pytest.mark.parametrize("mode", MODES)
def test_verifiers_take_what_is_sent_and_nothing_else(demo, receiver, mode):
    endpoint, sent = all_of(demo, receiver, mode)
    secret = endpoint["secret"]
    verifiers = [standardwebhooks.Webhook(secret), svix.webhooks.Webhook(secret)]
    cases = []
    for received in sent:
        others = changed(received)
        assert len(others) > len(received.body)
        for verifier in verifiers:
            assert accepts(verifier, received), received
            taken = [other for other in others if accepts(verifier, other)]
            assert not taken, taken
        cases.append((received, True))
        cases += [(other, False) for other in others]
    stdin = [
        {
            "secret": secret,
            "headers": {name: value for name, value in received.headers.items() if name.startswith("webhook-")},
            "body": received.body.decode(),
            "accepted": accepted,
        }
        for received, accepted in cases
    ]
    done = subprocess.run(
        ["node", HERE / "verify.mjs"], input=json.dumps(stdin), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["wrong"] == []
    assert answer["seen"] == {"accepted": 2 * len(sent), "rejected": 2 * (len(cases) - len(sent))}
    demo.shop("DELETE", f"endpoints/{endpoint['id']}")


def test_during_a_rotation_either_secret_verifies(demo, receiver):
    endpoint = demo.shop("POST", "endpoints", url=receiver.url)
    path = f"endpoints/{endpoint['id']}"
    new = demo.shop("POST", f"{path}/secrets", overlap_seconds=3600)["secret"]
    assert new != endpoint["secret"]
    demo.shop("POST", f"{path}/test")
    sell(demo, "rotating")
    for received in receiver.take(5):
        for secret in (endpoint["secret"], new):
            assert accepts(standardwebhooks.Webhook(secret), received)
            assert accepts(svix.webhooks.Webhook(secret), received)
    demo.shop("DELETE", path)


def test_ed25519_signatures_verify_with_the_public_key(demo, receiver):
    endpoint = demo.shop("POST", "endpoints", url=receiver.url, asymmetric=True)
    path = f"endpoints/{endpoint['id']}"
    public = endpoint["secrets"][0]["public_key"]
    assert public.startswith("whpk_")
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public.removeprefix("whpk_")))

    def is_signed(received: Received) -> bool:
        headers = received.headers
        content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + received.body
        version, signature = headers["webhook-signature"].split(",")
        assert version == "v1a"
        try:
            key.verify(base64.b64decode(signature), content)
        except InvalidSignature:
            return False
        return True

    demo.shop("POST", f"{path}/test")
    sell(demo, "asymmetric")
    for received in receiver.take(5):
        assert is_signed(received)
        assert not any(map(is_signed, changed(received)))
    demo.shop("DELETE", path)
