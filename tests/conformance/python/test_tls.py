"""The official SDK over the server's own TLS."""

import signal

import pytest
import trustme

from lib.project import Project
from lib.tracker import offsets_from_one


@pytest.fixture
def tls(tmp_path, monkeypatch):
    """Settings of a server whose certificate this process trusts."""
    authority = trustme.CA()
    pair = authority.issue_cert("127.0.0.1")
    certificate, key, trusted = (tmp_path / name for name in ("tls.crt", "tls.key", "ca.crt"))
    authority.cert_pem.write_to_path(trusted)
    pair.private_key_pem.write_to_path(key)
    for blob in pair.cert_chain_pems:
        blob.write_to_path(certificate, append=True)
    # Read whenever a default context is made.
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    return {"ORDERCAST_TLS_CERTIFICATE": str(certificate), "ORDERCAST_TLS_KEY": str(key)}


async def test_an_order_is_followed_over_tls(tls, start_server, cable_to, track):
    server = await start_server(**tls)
    cable = await cable_to(server)
    buyer = (await Project.create(server)).buyer()
    order = await buyer.order()
    tracker = await track(cable, buyer.connect_data())
    await tracker.publications(1)

    cable.cut()
    await tracker.event("connecting", 2)
    await buyer.moves(order, "paid")
    cable.mend()
    await tracker.event("subscribed", 2)

    cable.lose_answers()
    await buyer.moves(order, "done")
    await server.end(signal.SIGKILL)
    await tracker.event("connecting", 3)
    cable.mend()
    await server.start_again()
    expected = offsets_from_one(order, "new", "paid", "done")
    assert await tracker.publications(3) == expected
    assert (await tracker.event("subscribed", 3)).recovered
    await tracker.fence()
    assert tracker.seen() == expected
