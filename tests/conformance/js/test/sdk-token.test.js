// Official SDK with a token of the connect command, which some SDKs can renew and nothing else: it stands
// for `auth` of the connect data, also when that has ended, and a renewed one counts.

import assert from 'node:assert/strict';
import { after } from 'node:test';
import { now } from '../lib/jwt.js';
import { Project } from '../lib/project.js';
import { MODES, Tracker } from '../lib/sdk.js';
import { Server } from '../lib/server.js';
import { test } from '../lib/case.js';
import { RawSocket } from '../raw/socket.js';

const server = await Server.start();
after(() => server.stop());
const project = await Project.create(server);
const expired = (buyer) => buyer.token({ exp: now() - 60 });

for (const mode of MODES) {
  test(`${mode}: a token stands for auth that has ended, or is not there`, async (t) => {
    for (const auth of [expired, () => '', () => undefined]) {
      const buyer = project.buyer();
      const data = buyer.connectData({ auth: auth(buyer) });
      const tracker = Tracker.connect(t, server, mode, data, { token: buyer.token() });
      const order = await buyer.order();
      assert.deepEqual(await tracker.publications(1), [[1, order, 'new']]);
    }
  });

  test(`${mode}: a token that has ended is renewed once, and the client goes on`, async (t) => {
    const buyer = project.buyer();
    let asked = 0;
    const tracker = Tracker.connect(t, server, mode, buyer.connectData({ auth: expired(buyer) }), {
      token: expired(buyer),
      getToken: async () => {
        asked += 1;
        return buyer.token();
      },
    });
    const order = await buyer.order();
    assert.deepEqual(await tracker.publications(1), [[1, order, 'new']]);
    assert.equal(asked, 1, 'the shop is not asked in a loop');
  });

  test(`${mode}: a bad token is refused, however good auth is`, async (t) => {
    const buyer = project.buyer();
    const tracker = Tracker.connect(t, server, mode, buyer.connectData(), { token: 'nonsense' });
    const { code, reason } = await tracker.event('disconnected');
    assert.deepEqual([code, reason], [1, 'unauthorized']);
  });
}

test('a refresh command takes another token of the same user, and of nobody else', async (t) => {
  const [buyer, stranger] = [project.buyer(), project.buyer()];
  const raw = await RawSocket.open(t, server);
  raw.text(JSON.stringify({ id: 1, connect: { data: buyer.connectData() } }));
  const { connect } = JSON.parse(await raw.nthText(1));
  const refresh = (id, token) => raw.text(JSON.stringify({ id, refresh: { token } }));
  refresh(2, buyer.token());
  const refreshed = JSON.parse(await raw.nthText(2));
  assert.equal(refreshed.id, 2);
  assert.equal(refreshed.refresh.client, connect.client);
  assert.equal('expires' in refreshed.refresh, false, 'nothing asks for more');
  for (const [at, token] of [stranger.token(), expired(buyer), 'nonsense'].entries()) {
    refresh(3 + at, token);
    const refused = JSON.parse(await raw.nthText(3 + at));
    assert.deepEqual(refused, { id: 3 + at, error: { code: 109, message: 'token expired' } });
  }
  const order = await buyer.order();
  assert.equal(JSON.parse(await raw.nthText(6)).push.pub.data.order_id, order);
});
