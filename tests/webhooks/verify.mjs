// Reads [{secret, headers, body, accepted}] and says which of them the official verifiers of Node see
// otherwise.

import { readFileSync } from 'node:fs';
import { Webhook as Standard } from 'standardwebhooks';
import { Webhook as Svix } from 'svix';

const cases = JSON.parse(readFileSync(0, 'utf8'));
const wrong = [];
const seen = { accepted: 0, rejected: 0 };
for (const { secret, headers, body, accepted } of cases) {
  for (const Verifier of [Standard, Svix]) {
    let isAccepted = true;
    try {
      new Verifier(secret).verify(body, headers);
    } catch {
      isAccepted = false;
    }
    seen[isAccepted ? 'accepted' : 'rejected'] += 1;
    if (isAccepted !== accepted) wrong.push({ headers, body, accepted });
  }
}
console.log(JSON.stringify({ seen, wrong: wrong.slice(0, 5) }));
