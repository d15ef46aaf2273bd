"""The code that docs/webhooks.md shows takes what is sent, and nothing that differs from it."""

import base64
import json
import re
import subprocess
from pathlib import Path

import pytest

from lib.demo import Demo
from lib.mutations import mutations
from lib.receiver import Received, Receiver

HERE = Path(__file__).parent
DOCS = HERE.parent.parent / "docs" / "webhooks.md"


def snippet(language: str, name: str) -> str:
    pattern = rf"^```{language} {name}\n(.*?)^```$"
    found = re.findall(pattern, DOCS.read_text(), re.MULTILINE | re.DOTALL)
    assert len(found) == 1, f"{language} {name}: {len(found)}"
    return found[0]


@pytest.fixture(scope="module")
def sent():
    """What an endpoint of each kind of secret was sent, with what verifies it."""
    demo, cases = Demo(), {}
    for name, settings in {"verify": {}, "verify-key": {"asymmetric": True}}.items():
        receiver = Receiver()
        endpoint = demo.shop("POST", "endpoints", url=receiver.url, **settings)
        demo.shop("POST", f"endpoints/{endpoint['id']}/test")
        key = endpoint["secrets"][0].get("public_key") or endpoint["secret"]
        cases[name] = key, receiver.take(1)[0]
        receiver.stop()
    yield cases
    demo.stop()


def forged(received: Received) -> list[Received]:
    """Each byte of what is signed changed, and heads that are none."""
    headers = received.headers
    cases = [Received(headers, body) for body in mutations(received.body)]
    for value in ("", "v1", "v1a,", "v1,x v1a,x", ",,", "v2,AAAA"):
        cases.append(Received(headers | {"webhook-signature": value}, received.body))
    for value in ("", "0", "soon", "99999999999"):
        cases.append(Received(headers | {"webhook-timestamp": value}, received.body))
    return cases


@pytest.mark.parametrize("name", ["verify", "verify-key"])
def test_python(sent, name):
    key, received = sent[name]
    names = {}
    exec(compile(snippet("python", name), str(DOCS), "exec"), names)
    verified = names["verified"]
    assert verified(key, received.headers, received.body) == json.loads(received.body)
    taken = [other for other in forged(received) if verified(key, other.headers, other.body)]
    assert not taken


RUN = """
import { readFileSync } from 'node:fs';
const answers = JSON.parse(readFileSync(0, 'utf8')).map(({ key, headers, body }) =>
  verified(key, headers, Buffer.from(body, 'base64')));
console.log(JSON.stringify(answers));
"""


@pytest.mark.parametrize("name", ["verify", "verify-key"])
def test_node(sent, name):
    key, received = sent[name]
    cases = [
        {
            "key": key,
            "headers": {name: value for name, value in case.headers.items() if name.startswith("webhook-")},
            "body": base64.b64encode(case.body).decode(),
        }
        for case in [received, *forged(received)]
    ]
    script = snippet("js", name) + RUN
    command = ["node", "--input-type=module", "--eval", script]
    done = subprocess.run(command, input=json.dumps(cases), capture_output=True, text=True, cwd=HERE)
    assert done.returncode == 0, done.stderr
    first, *others = json.loads(done.stdout)
    assert first == json.loads(received.body)
    assert not any(others)
