"""Makes the data folder of an older release, for the test that a newer one takes it over.

    make.py BINARY FOLDER

BINARY is `ordercast` of the older release. FOLDER gets the database, its mark and `expected.json`: what that
release answered of every order, and the credentials that were made. All keys in it are test keys."""

import base64
import hashlib
import hmac
import json
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT_KEY = "root-key-of-the-upgrade-fixture-0123456789"
SECRETS_KEY = "secrets-key-of-the-upgrade-fixture-0123456789"
JWT_SECRET = "jwt-secret-of-the-upgrade-fixture-0123456789"
PRICE = {"amount": "10.00", "currency": "USD"}


def main(binary: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data:
        server = Server(binary, data)
        try:
            expected = fill(server)
        finally:
            server.stop()
        database = Path(data) / "ordercast.db"
        with sqlite3.connect(database) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.execute("VACUUM")
        for name in ("ordercast.db", "ordercast.db.mark"):
            (folder / name).write_bytes((Path(data) / name).read_bytes())
    (folder / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


class Server:
    def __init__(self, binary: str, data: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.base = f"http://127.0.0.1:{port}"
        environment = {
            "ORDERCAST_ROOT_KEY": ROOT_KEY,
            "ORDERCAST_SECRETS_KEY": SECRETS_KEY,
            "ORDERCAST_DRAIN_SECONDS": "0",
            "ORDERCAST_WEBHOOK_HTTP": "true",
            "ORDERCAST_WEBHOOK_ANY_PORT": "true",
            "ORDERCAST_WEBHOOK_NETWORKS": "127.0.0.0/8",
        }
        arguments = [binary, "serve", "--listen", f"127.0.0.1:{port}", "--data-dir", data]
        self.process = subprocess.Popen(arguments, env=environment, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while True:
            try:
                urllib.request.urlopen(f"{self.base}/health").close()
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def send(self, method: str, path: str, body: object = None, key: str = ROOT_KEY, **headers: str) -> dict:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        raw = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        authorization = {} if "authorization" in headers else {"authorization": f"Bearer {key}"}
        request = urllib.request.Request(
            self.base + path,
            method=method,
            data=raw,
            headers={"content-type": "application/json"} | authorization | named,
        )
        try:
            with urllib.request.urlopen(request) as answer:
                return json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} {path}: {error.code} {error.read()!r}") from error

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()


def fill(server: Server) -> dict:
    """Something of everything that a database of that release can hold."""
    made = server.send(
        "POST",
        "/v1/projects",
        {
            "project_id": 7,
            "name": "Upgrade",
            "hs256_secret": JWT_SECRET,
            # The longest there is: the fixture's orders stay `new` for a year.
            "order_lifetime_seconds": 31_536_000,
            "items": [
                {"sku": "sword", "name": "Sword", "price": PRICE},
                {"sku": "flyer", "name": "Flyer", "is_free": True, "price": {"amount": "0", "currency": "USD"}},
            ],
        },
    )
    key, source, secret = made["api_key"], made["inbox"]["source"], made["inbox"]["secret"]
    at = "/v1/projects/7"
    send = lambda method, path, body=None, **headers: server.send(method, at + path, body, key, **headers)

    def order(user: str, **more: object) -> int:
        body = {"user_external_id": user, "price": PRICE, "items": [{"sku": "sword"}]} | more
        return send("POST", "/orders", body)["order_id"]

    def become(number: int, *targets: str) -> None:
        for target in targets:
            send("POST", f"/orders/{number}/transitions", {"to": target})

    def tell(kind: str, number: int, transaction: int, amount: str = "10.00", **more: object) -> None:
        body = json.dumps(notification(kind, number, transaction, amount) | more).encode()
        signature = hashlib.sha1(body + secret.encode()).hexdigest()
        server.send("POST", f"/v1/inbox/{source}", body, authorization=f"Signature {signature}")

    orders = {}
    orders["new"] = order("alice")
    orders["new with its own number"] = order("alice", order_id=555)
    orders["paid by the provider"] = order("alice")
    tell("order_paid", orders["paid by the provider"], 1001)
    orders["done"] = order("bob")
    tell("order_paid", orders["done"], 1002)
    become(orders["done"], "done")
    orders["marked paid by hand"] = order("bob")
    become(orders["marked paid by hand"], "paid")
    orders["canceled before it was paid"] = order("bob")
    become(orders["canceled before it was paid"], "canceled")
    orders["refunded by the provider"] = order("carol")
    tell("order_paid", orders["refunded by the provider"], 1003)
    tell("order_canceled", orders["refunded by the provider"], 1003)
    orders["refunded in part by the shop"] = order("carol")
    tell("order_paid", orders["refunded in part by the shop"], 1004)
    refund = {"amount": {"amount": "4.00", "currency": "USD"}, "refund_id": "rf_1"}
    send("POST", f"/orders/{orders['refunded in part by the shop']}/refunds", refund)
    orders["paid twice"] = order("carol")
    tell("order_paid", orders["paid twice"], 1005)
    tell("order_paid", orders["paid twice"], 1006)
    orders["paid in part"] = order("dave")
    tell("order_paid", orders["paid in part"], 1007, "6.00")
    orders["under review"] = order("dave")
    send("POST", f"/orders/{orders['under review']}/review", {"under_review": True})
    # Its order comes later, or never.
    tell("order_paid", 777, 1008)

    endpoint = send("POST", "/endpoints", {"url": "http://127.0.0.1:9/hook"})
    orders["with a delivery that waits"] = order("erin")
    become(orders["with a delivery that waits"], "paid")
    idempotent = {"user_external_id": "frank", "price": PRICE}
    keyed = send("POST", "/orders", idempotent, Idempotency_Key="upgrade-1")
    orders["made with an idempotency key"] = keyed["order_id"]
    token = send("POST", f"/orders/{orders['new']}/payment-tokens", {})
    link = send("POST", f"/orders/{orders['new']}/links", {})
    answers = {name: send("GET", f"/orders/{number}") for name, number in orders.items()}
    buyers = {"alice", "bob", "carol", "dave", "erin", "frank"}
    return {
        "api_key": key,
        "jwt_secret": JWT_SECRET,
        "root_key": ROOT_KEY,
        "secrets_key": SECRETS_KEY,
        "source": source,
        "source_secret": secret,
        "endpoint": endpoint["endpoint_id"] if "endpoint_id" in endpoint else endpoint["id"],
        "payment_token": token["token"],
        "link_token": link["token"],
        "idempotency_key": "upgrade-1",
        "idempotent_body": idempotent,
        "idempotent_answer": keyed,
        "orders": answers,
        "buyers": {buyer: history(server.base, buyer) for buyer in sorted(buyers)},
    }


def history(base: str, buyer: str) -> dict:
    """What a tracking client of that release has seen: epoch, offset and publications."""
    claims = {"sub": buyer, "exp": int(time.time()) + 3600}
    connect = {"id": 1, "connect": {"data": {"auth": jwt(claims), "project_id": 7}}}
    request = urllib.request.Request(
        f"{base}/connection/http_stream", data=json.dumps(connect).encode(), headers={"content-type": "application/json"}
    )
    with urllib.request.urlopen(request) as stream:
        reply = json.loads(stream.readline())
    channel, subscription = next(iter(reply["connect"]["subs"].items()))
    return {"channel": channel, "epoch": subscription["epoch"]}


def jwt(claims: dict) -> str:
    encode = lambda raw: base64.urlsafe_b64encode(raw).rstrip(b"=")
    parts = [json.dumps(part, separators=(",", ":")).encode() for part in ({"alg": "HS256", "typ": "JWT"}, claims)]
    signed = b".".join(encode(part) for part in parts)
    return (signed + b"." + encode(hmac.digest(JWT_SECRET.encode(), signed, "sha256"))).decode()


def notification(kind: str, number: int, transaction: int, amount: str) -> dict:
    """A combined webhook of the reference provider, with the fields that count."""
    refund = {"refund_details": {"code": 1, "reason": "by request"}} if kind == "order_canceled" else {}
    return {
        "notification_type": kind,
        "items": [{"sku": "sword", "type": "virtual_good", "quantity": 1, "amount": amount}],
        "order": {
            "id": number,
            "mode": "default",
            "currency_type": "real",
            "currency": "USD",
            "amount": amount,
            "status": "paid" if kind == "order_paid" else "canceled",
            "invoice_id": str(transaction),
        },
        "user": {"external_id": "alice", "email": "buyer@example.com", "country": "DE"},
        "billing": {
            "notification_type": "payment" if kind == "order_paid" else "refund",
            "settings": {"project_id": 7, "merchant_id": 1},
            "purchase": {"total": {"currency": "USD", "amount": float(amount)}},
            "transaction": {"id": transaction, "payment_date": "2026-11-01T10:00:00+03:00", "dry_run": 0},
        }
        | refund,
    }


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
