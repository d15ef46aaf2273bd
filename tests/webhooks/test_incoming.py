"""Webhooks that the libraries of others have signed are taken, and nothing that differs from them."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone

import pytest
import standardwebhooks
import stripe
import svix.webhooks

from lib.demo import Demo
from lib.mutations import mutations

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
FIELDS = {
    "type": "/type",
    "order_id": "/data/reference",
    "attempt_id": "/data/id",
    "amount": "/data/amount",
    "amount_unit": "decimal",
    "currency": "/data/currency",
}


@pytest.fixture(scope="module")
def demo():
    demo = Demo()
    yield demo
    demo.stop()


@dataclass
class Sender:
    source: dict
    """What the source is made with."""
    body: Callable[[int], dict]
    sign: Callable[[str], dict]


def stripe_body(order: int) -> dict:
    return {
        "id": f"evt_{order}",
        "object": "event",
        "type": "payment_intent.succeeded",
        "created": int(time.time()),
        "livemode": False,
        "data": {
            "object": {
                "id": f"pi_{order}",
                "object": "payment_intent",
                "amount": 499,
                "amount_received": 499,
                "currency": "usd",
                "metadata": {"order_id": str(order)},
            }
        },
    }


def sign_as_stripe(body: str) -> dict:
    return {"stripe-signature": stripe.WebhookSignature.generate_signature_header(body, SECRET)}


def standard_body(order: int) -> dict:
    data = {"reference": order, "id": f"pay_{order}", "amount": "4.99", "currency": "USD"}
    return {"type": "charge.succeeded", "data": data}


def sign_as_standard(library) -> Callable[[str], dict]:
    def sign(body: str) -> dict:
        at = datetime.now(tz=timezone.utc)
        return {
            "webhook-id": "msg_1",
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": library.Webhook(SECRET).sign("msg_1", at, body),
        }

    return sign


STANDARD = {
    "provider": "standard",
    "fields": FIELDS,
    "mapping": {"charge.succeeded": "paid"},
}
SENDERS = {
    "stripe": Sender({"provider": "stripe"}, stripe_body, sign_as_stripe),
    "standardwebhooks": Sender(STANDARD, standard_body, sign_as_standard(standardwebhooks)),
    "svix": Sender(STANDARD, standard_body, sign_as_standard(svix.webhooks)),
}


@pytest.mark.parametrize("name", SENDERS)
def test_what_is_signed_is_taken_and_nothing_else(demo, name):
    sender = SENDERS[name]
    source = demo.shop("POST", "sources", secret=SECRET, **sender.source)
    order = demo.buy(demo.buyer(name), "ember_lantern")
    body = json.dumps(sender.body(order))
    headers = sender.sign(body)

    def post(headers: dict, body: bytes) -> int:
        # One field, as it is: two of a name would be another case.
        return demo.http.post(
            f"/v1/inbox/{source['source']}",
            headers=headers | {"content-type": "application/json"},
            content=body,
        ).status_code

    answers = [post(headers, other) for other in mutations(body.encode())]
    for field, value in headers.items():
        for other in mutations(value.encode()):
            answers.append(post(headers | {field: other.decode()}, body.encode()))
    assert len(answers) > len(body)
    assert set(answers) == {401}
    # None of them changed anything, nor was kept.
    assert demo.shop("GET", f"orders/{order}")["status"] == "new"
    kept = [entry for entry in demo.shop("GET", "inbox")["entries"] if entry["source"] == source["source"]]
    assert kept == []
    assert post(headers, body.encode()) == 200
    assert demo.shop("GET", f"orders/{order}")["status"] in ("paid", "done")
