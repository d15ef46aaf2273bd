"""The snippets of docs/providers.md, as an integrator runs them."""

import json
import os
import re
import subprocess

import pytest

from lib.demo import PATIENCE_SECONDS, REPOSITORY, Demo

PAGE = (REPOSITORY / "docs/providers.md").read_text()
SNIPPETS = {
    section.split("\n", 1)[0]: snippet
    for section in PAGE.split("\n## ")[1:]
    for snippet in re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
}


@pytest.fixture(scope="module")
def demo():
    demo = Demo()
    yield demo
    demo.stop()


def test_the_page_has_snippets():
    assert {"Stripe", "Adyen", "PayPal", "Paddle", "Razorpay"} <= SNIPPETS.keys()


@pytest.mark.parametrize("title", SNIPPETS)
def test_a_snippet_of_the_page_pays_an_order(demo, title):
    environment = {
        "PATH": os.environ["PATH"],
        "ORDERCAST": demo.url,
        "PROJECT": "1",
        "API_KEY": demo.api_key,
    }
    script = "set -euo pipefail\n" + SNIPPETS[title]
    done = subprocess.run(
        ["bash", "-c", script], env=environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS
    )
    assert done.returncode == 0, done.stdout + done.stderr
    if "dry-run" in SNIPPETS[title]:
        state = json.loads(done.stdout)["events"][0]["state"]
    else:
        # What it is answered with is the provider's: what became of it, the inbox says.
        state = demo.shop("GET", "inbox")["entries"][0]["state"]
    assert state == "applied", done.stdout
