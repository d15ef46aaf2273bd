"""A purchase through each provider, told by bodies that its own package has signed."""

import pytest

from lib.demo import Demo
from lib.providers import PROVIDERS, some_id

PRICE = 1_000
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
        self.provider = PROVIDERS[name]
        self._source = demo.shop("POST", "sources", **self.provider.source, **settings)
        price = {"amount": "10.00", "currency": self.provider.currency}
        order = demo.shop("POST", "orders", user_external_id=some_id("buyer-"), price=price)
        self.order = order["order_id"]
        self.payment = some_id("pay_")

    def tell(self, body: dict) -> None:
        content, headers = self.provider.sign(body)
        headers |= {"content-type": "application/json"}
        answer = self._demo.http.post(self._source["path"], headers=headers, content=content)
        assert answer.status_code == 200, answer.text

    def seen(self) -> tuple:
        found = self._demo.shop("GET", f"orders/{self.order}")
        return found["status"], found["net_paid"]["amount"], found.get("flags", [])


@pytest.mark.parametrize("name", PROVIDERS)
def test_paid_refunded_in_part_and_charged_back(demo, name):
    purchase = Purchase(demo, name)
    provider, of = purchase.provider, {"order": purchase.order, "payment": purchase.payment}
    purchase.tell(provider.paid(**of, minor=PRICE))
    status, net, _ = purchase.seen()
    assert (status in PAID, net) == (True, "10.00")
    # Two events about one refund.
    refund = some_id("re_")
    for _ in range(2):
        purchase.tell(provider.refunded(**of, refund=refund, minor=400))
    status, net, _ = purchase.seen()
    assert (status in PAID, net) == (True, "6.00")
    purchase.tell(provider.lost(**of, minor=600))
    status, net, _ = purchase.seen()
    assert (status, net) == ("canceled", "0.00")


@pytest.mark.parametrize("name", [name for name, it in PROVIDERS.items() if it.tells_mode])
def test_test_money_pays_no_live_order(demo, name):
    purchase = Purchase(demo, name)
    of = {"order": purchase.order, "payment": purchase.payment}
    purchase.tell(purchase.provider.paid(**of, minor=PRICE, live=False))
    assert purchase.seen() == ("new", "0.00", ["test_payment"])


@pytest.mark.parametrize("name", [name for name, it in PROVIDERS.items() if it.checkout])
def test_a_coupon_is_the_providers_word_where_the_source_says_so(demo, name):
    for rule, is_paid in [("exact", False), ("provider_total", True)]:
        purchase = Purchase(demo, name, price_rule=rule)
        of = {"order": purchase.order, "payment": purchase.payment}
        purchase.tell(purchase.provider.checkout(**of, minor=749))
        status, net, flags = purchase.seen()
        assert (status in PAID, net) == (is_paid, "7.49"), flags
