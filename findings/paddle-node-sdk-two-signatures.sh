#!/usr/bin/env bash
# @paddle/paddle-node-sdk 3.10.0 (npm) and paddle-python-sdk 1.16.1 (PyPI), both the newest on 2026-11-28.
#
# Behaviour: of a `Paddle-Signature` header with two `h1` values the Node SDK keeps the last one only. A
# webhook whose right signature stands first is refused (`isSignatureValid` gives false, `unmarshal`
# throws); the Python SDK accepts it in either order.
# Seen:     node: right=true right,other=false other,right=true
#           python: right=True right,other=True other,right=True
# Expected: both SDKs try every `h1`. Paddle's page "Verify webhook signatures" says that more than one
# is sent while a secret is rotated out, so such a header is valid input.
# Hurt: whoever verifies with the Node SDK while a secret is rotated: webhooks of payments are answered
# with an error until Paddle gives up on them.
#
# Exits 0 while this is so, 1 when it has changed. Needs node, npm, python3 and their registries.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

npm init -y >/dev/null
npm install --silent --no-audit --no-fund @paddle/paddle-node-sdk@3.10.0
python3 -m venv python
python/bin/pip install -q --disable-pip-version-check paddle-python-sdk==1.16.1

cat >verify.mjs <<'JS'
import { createHmac } from 'node:crypto';
import { Paddle } from '@paddle/paddle-node-sdk';

const { webhooks } = new Paddle('pdl_sdbx_apikey_any');
const body = '{"event_id":"evt_1","event_type":"transaction.paid","data":{}}';
const ts = Math.floor(Date.now() / 1000);
const sign = (secret) => createHmac('sha256', secret).update(`${ts}:${body}`).digest('hex');
const [right, other] = [sign('new-secret'), sign('old-secret')];
const seen = [];
for (const [name, hashes] of [['right', [right]], ['right,other', [right, other]], ['other,right', [other, right]]]) {
  const header = [`ts=${ts}`, ...hashes.map((hash) => `h1=${hash}`)].join(';');
  seen.push(`${name}=${await webhooks.isSignatureValid(body, 'new-secret', header)}`);
}
console.log(seen.join(' '));
JS

cat >verify.py <<'PY'
import hashlib
import hmac
import time

from paddle_billing.Notifications import PaddleSignature
from paddle_billing.Notifications.Secret import Secret

body, ts = '{"event_id":"evt_1","event_type":"transaction.paid","data":{}}', int(time.time())


def sign(secret):
    return hmac.new(secret, f"{ts}:{body}".encode(), hashlib.sha256).hexdigest()


right, other = sign(b"new-secret"), sign(b"old-secret")
seen = []
for name, hashes in [("right", [right]), ("right,other", [right, other]), ("other,right", [other, right])]:
    header = ";".join([f"ts={ts}", *(f"h1={hash}" for hash in hashes)])
    seen.append(f"{name}={PaddleSignature().verify(header, body, Secret('new-secret'))}")
print(" ".join(seen))
PY

node=$(node verify.mjs)
python=$(python/bin/python verify.py)
echo "node:   $node"
echo "python: $python"
[ "$node" = "right=true right,other=false other,right=true" ] &&
    [ "$python" = "right=True right,other=True other,right=True" ]
