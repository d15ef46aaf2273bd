"""A token beside the connect data, which this SDK cannot change once it is made: what it renews counts."""

from lib.tracker import offsets_from_one


async def test_a_client_whose_token_ended_asks_for_another_and_goes_on(server, buyer, tracker_at):
    ended = buyer.token(exp=1)
    asked = []

    async def get_token():
        asked.append(True)
        return buyer.token()

    tracker = tracker_at(
        server, buyer.connect_data(auth=ended), token=ended, get_token=get_token
    )
    await tracker.connect()
    order = await buyer.order()
    assert await tracker.publications(1) == offsets_from_one(order, "new")
    assert len(asked) == 1, "the shop is not asked in a loop"


async def test_a_token_stands_for_auth_that_has_ended(server, buyer, tracker_at):
    data = buyer.connect_data(auth=buyer.token(exp=1))
    tracker = tracker_at(server, data, token=buyer.token())
    await tracker.connect()
    order = await buyer.order()
    assert await tracker.publications(1) == offsets_from_one(order, "new")
