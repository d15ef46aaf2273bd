"""What payment providers send, signed by their own packages."""

import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

import stripe
from Adyen.util import generate_notification_sig
from paddle_billing.Notifications.PaddleSignature import PaddleSignature
from razorpay.utility import Utility

STRIPE_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
ADYEN_KEY = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"
PADDLE_SECRET = "pdl_ntfset_01hv0vaj6rgavrdz8e7xnsvp6h_nrPpDUs7vy1zVfhm"
RAZORPAY_SECRET = "a-secret-of-the-shops-own"


def some_id(prefix: str) -> str:
    return prefix + uuid.uuid4().hex[:20]


@dataclass
class Provider:
    source: dict
    """What the source is made with."""
    currency: str
    sign: Callable[[dict], tuple[bytes, dict]]
    """The body as it is sent, and its headers."""
    paid: Callable[..., dict]
    """Of a payment of an order: `order`, `payment`, `minor`, `live`."""
    refunded: Callable[..., dict]
    """Of a refund of a payment: `order`, `payment`, `refund`, `minor`."""
    lost: Callable[..., dict]
    """Of a dispute that was lost: `order`, `payment`, `minor`."""
    tells_mode: bool = False
    checkout: Callable[..., dict] | None = None
    """Of the provider's own checkout, whose total it made: `order`, `payment`, `minor`."""


def stripe_event(kind: str, live: bool = True, **data) -> dict:
    return {
        "id": some_id("evt_"),
        "object": "event",
        "api_version": "2026-10-28.clover",
        "type": kind,
        "created": int(time.time()),
        "livemode": live,
        "data": {"object": {"currency": "usd", **data}},
    }


def stripe_sign(body: dict) -> tuple[bytes, dict]:
    text = json.dumps(body)
    return text.encode(), {
        "stripe-signature": stripe.WebhookSignature.generate_signature_header(text, STRIPE_SECRET)
    }


def adyen_item(code: str, live: bool, **fields) -> dict:
    item = {
        "eventCode": code,
        "success": "true",
        "merchantAccountCode": "ShopECOM",
        "eventDate": time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime()),
        **fields,
    }
    return {"live": str(live).lower(), "notificationItems": [{"NotificationRequestItem": item}]}


def adyen_sign(body: dict) -> tuple[bytes, dict]:
    for entry in body["notificationItems"]:
        item = entry["NotificationRequestItem"]
        signature = generate_notification_sig(item, ADYEN_KEY).decode()
        item["additionalData"] = {"hmacSignature": signature}
    return json.dumps(body).encode(), {}


def adyen_amount(minor: int) -> dict:
    return {"value": minor, "currency": "EUR"}


def paddle_event(kind: str, **data) -> dict:
    return {
        "event_id": some_id("evt_"),
        "event_type": kind,
        "occurred_at": time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime()),
        "notification_id": some_id("ntf_"),
        "data": {"currency_code": "USD", **data},
    }


def paddle_sign(body: dict) -> tuple[bytes, dict]:
    text, at = json.dumps(body), int(time.time())
    signature = PaddleSignature.calculate_hmac(PADDLE_SECRET, f"{at}:{text}".encode()).hexdigest()
    return text.encode(), {"paddle-signature": f"ts={at};h1={signature}"}


def paddle_transaction(order: int, payment: str, minor: int, credit: int = 0) -> dict:
    totals = {"total": str(minor), "credit": str(credit), "grand_total": str(minor - credit)}
    return paddle_event(
        "transaction.completed",
        id=payment,
        status="completed",
        origin="web",
        custom_data={"order_id": str(order)},
        details={"totals": totals},
    )


def paddle_adjustment(action: str, payment: str, id: str, minor: int) -> dict:
    return paddle_event(
        "adjustment.updated",
        id=id,
        action=action,
        status="approved",
        transaction_id=payment,
        totals={"total": str(minor)},
    )


def razorpay_event(kind: str, **entities) -> dict:
    return {
        "entity": "event",
        "account_id": "acc_BFQ7uQEaa7j2z7",
        "event": kind,
        "contains": list(entities),
        "payload": {name: {"entity": entity} for name, entity in entities.items()},
        "created_at": int(time.time()),
    }


def razorpay_sign(body: dict) -> tuple[bytes, dict]:
    """The package only verifies; what it accepts is what Razorpay signs."""
    import hashlib
    import hmac

    text = json.dumps(body)
    signature = hmac.new(RAZORPAY_SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()
    assert Utility().verify_webhook_signature(text, signature, RAZORPAY_SECRET)
    return text.encode(), {
        "x-razorpay-signature": signature,
        "x-razorpay-event-id": some_id("evt_"),
    }


def razorpay_payment(order: int, payment: str, minor: int) -> dict:
    return {
        "id": payment,
        "amount": minor,
        "currency": "INR",
        "status": "captured",
        "captured": True,
        "notes": {"order_id": str(order)},
    }


PROVIDERS = {
    "stripe": Provider(
        source={"provider": "stripe", "secret": STRIPE_SECRET},
        currency="USD",
        sign=stripe_sign,
        paid=lambda order, payment, minor, live=True: stripe_event(
            "payment_intent.succeeded",
            live,
            object="payment_intent",
            id=payment,
            amount=minor,
            amount_received=minor,
            metadata={"order_id": str(order)},
        ),
        refunded=lambda order, payment, refund, minor: stripe_event(
            "refund.created", object="refund", id=refund, payment_intent=payment, amount=minor, status="succeeded"
        ),
        lost=lambda order, payment, minor: stripe_event(
            "charge.dispute.closed",
            object="dispute",
            id=some_id("dp_"),
            payment_intent=payment,
            amount=minor,
            status="lost",
        ),
        tells_mode=True,
        checkout=lambda order, payment, minor: stripe_event(
            "checkout.session.completed",
            object="checkout.session",
            id=some_id("cs_"),
            mode="payment",
            payment_intent=payment,
            payment_status="paid",
            amount_total=minor,
            client_reference_id=str(order),
        ),
    ),
    "adyen": Provider(
        source={"provider": "adyen", "secret": ADYEN_KEY},
        currency="EUR",
        sign=adyen_sign,
        paid=lambda order, payment, minor, live=True: adyen_item(
            "AUTHORISATION", live, pspReference=payment, merchantReference=str(order), amount=adyen_amount(minor)
        ),
        refunded=lambda order, payment, refund, minor: adyen_item(
            "REFUND",
            True,
            pspReference=refund,
            originalReference=payment,
            merchantReference=str(order),
            amount=adyen_amount(minor),
        ),
        lost=lambda order, payment, minor: adyen_item(
            "CHARGEBACK",
            True,
            pspReference=some_id("D"),
            originalReference=payment,
            merchantReference=str(order),
            amount=adyen_amount(minor),
        ),
        tells_mode=True,
    ),
    "paddle": Provider(
        source={"provider": "paddle", "secret": PADDLE_SECRET},
        currency="USD",
        sign=paddle_sign,
        # The buyer had 3.00 of credit at Paddle: the order has brought in its price all the same.
        paid=lambda order, payment, minor, live=True: paddle_transaction(order, payment, minor, credit=300),
        refunded=lambda order, payment, refund, minor: paddle_adjustment("refund", payment, refund, minor),
        lost=lambda order, payment, minor: paddle_adjustment("chargeback", payment, some_id("adj_"), minor),
        checkout=paddle_transaction,
    ),
    "razorpay": Provider(
        source={"provider": "razorpay", "secret": RAZORPAY_SECRET},
        currency="INR",
        sign=razorpay_sign,
        paid=lambda order, payment, minor, live=True: razorpay_event(
            "payment.captured", payment=razorpay_payment(order, payment, minor)
        ),
        refunded=lambda order, payment, refund, minor: razorpay_event(
            "refund.processed",
            refund={"id": refund, "payment_id": payment, "amount": minor, "currency": "INR"},
            payment=razorpay_payment(order, payment, 1_000),
        ),
        lost=lambda order, payment, minor: razorpay_event(
            "payment.dispute.lost",
            dispute={
                "id": some_id("disp_"),
                "payment_id": payment,
                "amount": minor,
                "amount_deducted": minor,
                "currency": "INR",
                "phase": "chargeback",
                "status": "lost",
            },
            payment=razorpay_payment(order, payment, 1_000),
        ),
    ),
}
