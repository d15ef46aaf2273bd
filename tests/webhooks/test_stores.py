"""A purchase through each store, wallet and sender: paid, given back in part, taken back, as test money,
with a coupon."""

import json

import pytest

from lib.demo import Demo
from lib.stores import STORES, some_id

PAID = ("paid", "done")


@pytest.fixture(scope="module")
def demo():
    demo = Demo()
    yield demo
    demo.stop()


class Purchase:
    """An order of 10.00 and a source of its own."""

    def __init__(self, demo: Demo, name: str, **settings):
        self._demo = demo
        self.store = STORES[name]
        self._source = demo.shop("POST", "sources", **self.store.source, **settings)
        price = {"amount": "10.00", "currency": "USD"}
        order = demo.shop("POST", "orders", user_external_id=some_id("buyer-"), price=price)
        self.of = {"order": order["order_id"], "payment": some_id("pay_")}

    def sign(self, body: dict) -> tuple[str, dict]:
        text = json.dumps(body)
        return text, self.store.sign(text) | {"content-type": "application/json"}

    def tell(self, text: str, headers: dict) -> None:
        answer = self._demo.http.post(self._source["path"], headers=headers, content=text)
        assert answer.status_code == 200, answer.text

    def seen(self) -> tuple:
        found = self._demo.shop("GET", f"orders/{self.of['order']}")
        status = "paid" if found["status"] in PAID else found["status"]
        return status, found["net_paid"]["amount"], found.get("flags", [])


@pytest.mark.parametrize("name", STORES)
def test_paid_given_back_in_part_and_taken_back(demo, name):
    purchase = Purchase(demo, name)
    store = purchase.store
    purchase.tell(*purchase.sign(store.paid(**purchase.of, minor=1_000)))
    assert purchase.seen()[:2] == ("paid", "10.00")
    if store.part:
        # The same message comes twice.
        refund = purchase.sign(store.part(**purchase.of, refund=some_id("re_"), minor=400))
        for _ in range(2):
            purchase.tell(*refund)
        assert purchase.seen()[:2] == ("paid", "6.00")
    if store.back:
        purchase.tell(*purchase.sign(store.back(**purchase.of)))
        assert purchase.seen()[:2] == ("canceled", "0.00")


@pytest.mark.parametrize("name", [name for name, store in STORES.items() if store.test])
def test_test_money_pays_no_live_order(demo, name):
    purchase = Purchase(demo, name)
    body = purchase.store.paid(**purchase.of, minor=1_000)
    purchase.store.test(body)
    purchase.tell(*purchase.sign(body))
    assert purchase.seen() == ("new", "0.00", ["test_payment"])


@pytest.mark.parametrize("name", [name for name, store in STORES.items() if store.is_checkout])
def test_a_coupon_is_the_stores_word_where_the_source_says_so(demo, name):
    for rule, expected in [("exact", "new"), ("provider_total", "paid")]:
        purchase = Purchase(demo, name, price_rule=rule)
        purchase.tell(*purchase.sign(purchase.store.paid(**purchase.of, minor=749)))
        status, net, flags = purchase.seen()
        assert (status, net) == (expected, "7.49"), flags
