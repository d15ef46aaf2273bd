// Official SDK: a bad credential ends the client for good, with one attempt and one answer.

import assert from 'node:assert/strict';
import { after } from 'node:test';
import { Cable } from '../lib/cable.js';
import { claims, hs256, now, rs256, rsaKey, unsigned } from '../lib/jwt.js';
import { Project } from '../lib/project.js';
import { MODES, Tracker } from '../lib/sdk.js';
import { Server } from '../lib/server.js';
import { test } from '../lib/case.js';

const server = await Server.start();
after(() => server.stop());
const project = await Project.create(server);
const other = await Project.create(server);
const key = rsaKey();
const rsaProject = await Project.create(server, { rs256_public_key: key.publicPem });

const TABLE = {
  'a bad signature': (buyer) => ({ auth: hs256('another secret of enough bytes, 32', claims(buyer.user)) }),
  'an expired token': (buyer) => ({ auth: buyer.token({ exp: now() - 60 }) }),
  'a token without exp': (buyer) => ({ auth: buyer.token({ exp: undefined }) }),
  'a token that lives too long': (buyer) => ({ auth: buyer.token({ exp: now() + 90_000 }) }),
  'a token that is not valid yet': (buyer) => ({ auth: buyer.token({ nbf: now() + 300 }) }),
  'an unsigned token': (buyer) => ({ auth: unsigned(claims(buyer.user)) }),
  'no token at all': () => ({ auth: '' }),
  'an unknown payment token': () => ({ auth: 'A'.repeat(32) }),
  'another user_external_id': () => ({ user_external_id: 'somebody-else' }),
  'another project': () => ({ project_id: other.id }),
  'a project that does not exist': () => ({ project_id: 2 ** 31 - 1 }),
  // The public key is public: whoever signs with it as an HS256 secret must get nothing.
  'a token signed with the public key': (buyer) => ({
    auth: hs256(key.publicPem, claims(buyer.user)),
    project_id: rsaProject.id,
  }),
  "another key's RS256": (buyer) => ({
    auth: rs256(rsaKey().privateKey, claims(buyer.user)),
    project_id: rsaProject.id,
  }),
};

for (const mode of MODES) {
  for (const [name, wrong] of Object.entries(TABLE)) {
    test(`${mode}: ${name} is terminal`, async (t) => {
      const cable = await Cable.to(server);
      t.after(() => cable.close());
      const buyer = project.buyer();
      const data = { ...buyer.connectData(), ...wrong(buyer) };
      const tracker = Tracker.connect(t, cable, mode, data);

      const error = await tracker.journal.until(
        (entry) => entry.event === 'error' && entry.type === 'connect',
        'error reply to the connect',
      );
      assert.deepEqual(error.error, { code: 109, message: 'token expired', temporary: false });
      const disconnected = await tracker.event('disconnected');
      assert.equal(disconnected.reason, 'unauthorized');
      assert.equal(tracker.client.state, 'disconnected');
      assert.equal(cable.dials, 1, 'no endless reconnect');
      assert.deepEqual(tracker.of('connected'), []);
    });
  }
}
