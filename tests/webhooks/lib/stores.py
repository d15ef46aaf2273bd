"""What stores, wallets and other senders tell of a purchase, signed as each of them signs: by its own
package where it has one, else by the steps of its documentation."""

import hashlib
import hmac
import json
import subprocess
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import standardwebhooks
from coinbase_commerce.webhook import Webhook as CommerceWebhook
from coinbase_commerce.webhook import WebhookSignature as CommerceSignature

HERE = Path(__file__).parents[1]
SECRET = "a-secret-of-the-shops-own"
STANDARD_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


def some_id(prefix: str) -> str:
    return prefix + uuid.uuid4().hex[:20]


def rfc3339() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def decimal(minor: int) -> str:
    return f"{minor // 100}.{minor % 100:02}"


def hmac_hex(content: bytes) -> str:
    return hmac.new(SECRET.encode(), content, hashlib.sha256).hexdigest()


@dataclass
class Store:
    source: dict
    """What the source is made with."""
    sign: Callable[[str], dict]
    """The headers of a body."""
    paid: Callable[..., dict]
    """Of a payment of an order: `order`, `payment`, `minor`."""
    part: Callable[..., dict] | None = None
    """Of a refund of a part: `order`, `payment`, `refund`, `minor`."""
    back: Callable[..., dict] | None = None
    """Of all that is left, taken back by the bank, or given back: `order`, `payment`."""
    test: Callable[[dict], None] | None = None
    """Makes the body one of test money."""
    is_checkout: bool = False
    """It tells what its own checkout asked for."""


# The reference provider: plain SHA-1 of body and secret.


def sign_reference(body: str) -> dict:
    digest = hashlib.sha1(body.encode() + SECRET.encode()).hexdigest()
    return {"authorization": f"Signature {digest}"}


def reference(kind: str, order: int, payment: str, minor: int, **more) -> dict:
    total = {"amount": minor / 100, "currency": "USD"}
    return {
        "notification_type": kind,
        "settings": {"project_id": 1, "merchant_id": 1},
        "purchase": {"total": total},
        # In a place of the shop's choice.
        "custom_parameters": json.dumps({"order_id": str(order)}),
        "transaction": {"id": payment, "dry_run": 0, "payment_date": rfc3339()},
        **more,
    }


def test_reference(body: dict) -> None:
    body["transaction"]["dry_run"] = 1


# Lemon Squeezy: its package does not verify.


def lemon_squeezy(kind: str, order: int, payment: str, refunded: int, minor: int = 1_000) -> dict:
    status = "paid" if not refunded else "refunded" if refunded == minor else "partial_refund"
    attributes = {
        "status": status,
        "currency": "USD",
        "total": minor,
        "refunded_amount": refunded,
        "updated_at": rfc3339(),
        "test_mode": False,
    }
    return {
        "meta": {"event_name": kind, "custom_data": {"order_id": str(order)}},
        "data": {"type": "orders", "id": payment, "attributes": attributes},
    }


def test_lemon_squeezy(body: dict) -> None:
    body["data"]["attributes"]["test_mode"] = True


# Mollie's newer webhooks, signed by Mollie's package.


def sign_mollie(body: str) -> dict:
    done = subprocess.run(
        ["node", HERE / "sign_as_mollie.mjs"],
        input=json.dumps({"secret": SECRET, "body": body}),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return {"x-mollie-signature": f"sha256={done.stdout.strip()}"}


def mollie(kind: str, entity: dict, minor: int) -> dict:
    entity = {"mode": "live", "amount": {"value": decimal(minor), "currency": "USD"}, **entity}
    return {
        "resource": "event",
        "id": some_id("event_"),
        "type": kind,
        "entityId": entity["id"],
        "createdAt": rfc3339(),
        "_embedded": {"entity": entity},
    }


def mollie_payment(order: int, payment: str, minor: int) -> dict:
    # As the documentation shows metadata: JSON in a text.
    metadata = json.dumps({"order_id": order})
    entity = {"resource": "payment", "id": payment, "status": "paid", "metadata": metadata}
    return mollie("payment.paid", entity, minor)


def mollie_refund(order: int, payment: str, refund: str, minor: int) -> dict:
    entity = {"resource": "refund", "id": refund, "status": "refunded", "paymentId": payment}
    return mollie("refund.refunded", entity, minor)


def mollie_chargeback(order: int, payment: str) -> dict:
    entity = {"resource": "chargeback", "id": some_id("chb_"), "paymentId": payment, "reversedAt": None}
    return mollie("chargeback.received", entity, 600)


def test_mollie(body: dict) -> None:
    body["_embedded"]["entity"]["mode"] = "test"


# Coinbase Commerce, signed and taken by its package.


def sign_commerce(body: str) -> dict:
    signature = CommerceSignature._compute_signature(body, SECRET)
    assert CommerceWebhook.construct_event(body, signature, SECRET).type
    return {"x-cc-webhook-signature": signature}


def commerce(order: int, payment: str, minor: int) -> dict:
    local = {"amount": decimal(minor), "currency": "USD"}
    came_in = {"transaction_id": some_id("0x"), "status": "CONFIRMED", "value": {"local": local}}
    data = {"code": payment, "metadata": {"order_id": str(order)}, "pricing": {"local": local}, "payments": [came_in]}
    return {"id": some_id(""), "event": {"id": some_id(""), "type": "charge:confirmed", "data": data}}


# Coinbase Business, by the steps of its documentation.


def sign_business(body: str) -> dict:
    at, names, id = int(time.time()), "content-type x-event-id", some_id("")
    content = f"{at}.{names}.application/json.{id}.{body}"
    return {"x-event-id": id, "x-hook0-signature": f"t={at},h={names},v1={hmac_hex(content.encode())}"}


def business(kind: str, order: int, payment: str, minor: int, **more) -> dict:
    return {
        "id": payment,
        "eventType": kind,
        "amount": decimal(minor + 3),
        "currency": "USDC",
        "fiatAmount": decimal(minor),
        "fiatCurrency": "USD",
        "network": "base",
        "metadata": {"orderId": str(order)},
        "status": "COMPLETED",
        "updatedAt": rfc3339(),
        **more,
    }


def business_part(order: int, payment: str, refund: str, minor: int) -> dict:
    one = {"id": refund, "amount": decimal(minor), "currency": "USD", "status": "COMPLETED"}
    more = {"status": "PARTIALLY_REFUNDED", "refundedAmount": decimal(minor), "refunds": [one]}
    return business("checkout.refund.success", order, payment, 1_000, **more)


def test_business(body: dict) -> None:
    body["network"] = "base-sepolia"


# Tebex, by the steps of its documentation.


def sign_tebex(body: str) -> dict:
    return {"x-signature": hmac_hex(hashlib.sha256(body.encode()).hexdigest().encode())}


def tebex(kind: str, order: int, payment: str, minor: int = 1_000) -> dict:
    subject = {
        "transaction_id": payment,
        "price": {"amount": minor / 100, "currency": "USD"},
        "price_paid": {"amount": round(minor * 0.92) / 100, "currency": "EUR"},
        "payment_sequence": "oneoff",
        "payment_method": {"name": "Credit Card", "refundable": True},
        "custom": {"order_id": order},
    }
    return {"id": some_id(""), "type": kind, "date": rfc3339(), "subject": subject}


def test_tebex(body: dict) -> None:
    body["subject"]["payment_method"]["name"] = "Test Payments"


# A sender of Standard Webhooks, signed by the specification's library.


def sign_standard(body: str) -> dict:
    at, id = datetime.now(tz=timezone.utc), some_id("msg_")
    return {
        "webhook-id": id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": standardwebhooks.Webhook(STANDARD_SECRET).sign(id, at, body),
    }


def standard(kind: str, order: int, payment: str, minor: int, **more) -> dict:
    data = {"id": payment, "reference": order, "amount": minor, "currency": "usd", **more}
    return {"type": kind, "livemode": True, "data": data}


def test_standard(body: dict) -> None:
    body["livemode"] = False


STORES = {
    "reference": Store(
        {"provider": "reference", "secret": SECRET},
        sign_reference,
        lambda order, payment, minor: reference("payment", order, payment, minor),
        lambda order, payment, refund, minor: reference(
            "partial_refund", order, payment, minor, refund_details={"code": 1}
        ),
        lambda order, payment: reference("refund", order, payment, 1_000, refund_details={"code": 2}),
        test_reference,
        is_checkout=True,
    ),
    "lemon_squeezy": Store(
        {"provider": "lemon_squeezy", "secret": SECRET},
        lambda body: {"x-signature": hmac_hex(body.encode())},
        lambda order, payment, minor: lemon_squeezy("order_created", order, payment, 0, minor),
        lambda order, payment, refund, minor: lemon_squeezy("order_refunded", order, payment, minor),
        lambda order, payment: lemon_squeezy("order_refunded", order, payment, 1_000),
        test_lemon_squeezy,
        is_checkout=True,
    ),
    "mollie_next": Store(
        {"provider": "mollie_next", "secret": SECRET},
        sign_mollie,
        mollie_payment,
        mollie_refund,
        mollie_chargeback,
        test_mollie,
    ),
    "coinbase_commerce": Store({"provider": "coinbase_commerce", "secret": SECRET}, sign_commerce, commerce),
    "coinbase_business": Store(
        {"provider": "coinbase_business", "secret": SECRET},
        sign_business,
        lambda order, payment, minor: business("checkout.payment.success", order, payment, minor),
        business_part,
        lambda order, payment: business("checkout.refund.success", order, payment, 1_000, status="REFUNDED"),
        test_business,
    ),
    "tebex": Store(
        {"provider": "tebex", "secret": SECRET},
        sign_tebex,
        lambda order, payment, minor: tebex("payment.completed", order, payment, minor),
        back=lambda order, payment: tebex("payment.dispute.lost", order, payment),
        test=test_tebex,
        is_checkout=True,
    ),
    "standard": Store(
        {
            "provider": "standard",
            "secret": STANDARD_SECRET,
            "fields": {
                "order_id": "/data/reference",
                "attempt_id": "/data/id",
                "amount": "/data/amount",
                "currency": "/data/currency",
                "refund_id": "/data/refund",
                "total": "/data/total",
                "mode": "/livemode",
            },
            "mapping": {"charge.paid": "paid", "charge.refunded": "refunded", "dispute.lost": "dispute_lost"},
        },
        sign_standard,
        lambda order, payment, minor: standard("charge.paid", order, payment, minor, total=minor),
        lambda order, payment, refund, minor: standard("charge.refunded", order, payment, minor, refund=refund),
        lambda order, payment: standard("dispute.lost", order, payment, 600),
        test_standard,
        is_checkout=True,
    ),
}
