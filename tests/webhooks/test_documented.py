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
    answer = json.loads(done.stdout)
    # A dry run lists events; an inbox answers with the last one's state.
    told = answer["events"][0] if "events" in answer else answer
    assert told["state"] == "applied", answer
