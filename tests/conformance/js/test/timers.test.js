// What the server does by the clock: pings, lives of connections, clients that say nothing. Each
// test waits for the event; they wait side by side.

import assert from 'node:assert/strict';
import { after, describe } from 'node:test';
import { Cable } from '../lib/cable.js';
import { now } from '../lib/jwt.js';
import { Project } from '../lib/project.js';
import { MODES, Tracker } from '../lib/sdk.js';
import { Server } from '../lib/server.js';
import { test } from '../lib/case.js';
import { RawSocket } from '../raw/socket.js';

const pinging = await Server.start({ ORDERCAST_PING_SECONDS: '5' });
const shortLived = await Server.start({ ORDERCAST_CONNECTION_LIFETIME_SECONDS: '10' });
after(() => Promise.all([pinging.stop(), shortLived.stop()]));

async function connected(t, server, data) {
  const raw = await RawSocket.open(t, server);
  raw.text(JSON.stringify({ id: 1, connect: { data } }));
  return { raw, connect: JSON.parse(await raw.nthText(1)).connect };
}

describe('by the clock', { concurrency: true }, () => {
  for (const mode of MODES) {
    test(`${mode}: pings come for ever, the SDK answers, the connection stays`, async (t) => {
      const buyer = (await Project.create(pinging)).buyer();
      const tracker = Tracker.connect(t, pinging, mode, buyer.connectData());
      await tracker.event('pong', 3);
      const order = await buyer.order();
      assert.deepEqual(await tracker.publications(1), [[1, order, 'new']]);
      assert.equal(tracker.of('ping').length, 3, 'a ping each, an answer each');
      assert.equal(tracker.of('connected').length, 1);
    });

    test(`${mode}: a life ends with 3005, the SDK reconnects and recovers`, async (t) => {
      const cable = await Cable.to(shortLived);
      t.after(() => cable.close());
      const buyer = (await Project.create(shortLived)).buyer();
      const order = await buyer.order();
      const tracker = Tracker.connect(t, cable, mode, buyer.connectData());
      const first = await tracker.subscribed();
      const connecting = await tracker.event('connecting', 2);
      assert.equal(connecting.code, 3005);
      assert.notEqual(connecting.reason, '');
      const second = await tracker.subscribed(2);
      assert.equal(second.recovered, true);
      assert.equal(second.streamPosition.epoch, first.streamPosition.epoch);
      await buyer.pay(order);
      assert.deepEqual(await tracker.publications(2), [
        [1, order, 'new'],
        [2, order, 'paid'],
      ]);
      assert.equal(cable.dials, 2);
    });
  }

  test('a ping is the two bytes {}, and the connect reply announces it', async (t) => {
    const buyer = (await Project.create(pinging)).buyer();
    const { raw, connect } = await connected(t, pinging, buyer.connectData());
    assert.equal(connect.ping, 5);
    assert.equal(connect.pong, true);
    for (const count of [2, 3]) {
      assert.equal(await raw.nthText(count), '{}');
      raw.text('{}');
    }
  });

  test('a client that does not answer pings is closed with 3012', async (t) => {
    const buyer = (await Project.create(pinging)).buyer();
    const { raw } = await connected(t, pinging, buyer.connectData());
    const { code, reason } = await raw.closed();
    assert.equal(code, 3012);
    assert.notEqual(reason, '');
  });

  test('a raw client learns of the end of its life by 3005 and finds the order by polling', async (t) => {
    const buyer = (await Project.create(shortLived)).buyer();
    const order = await buyer.order();
    const { raw } = await connected(t, shortLived, buyer.connectData());
    const { code, reason } = await raw.closed();
    assert.equal(code, 3005);
    assert.notEqual(reason, '');
    await buyer.pay(order);
    assert.equal((await buyer.get(order)).json().status, 'paid');
  });

  test('a client that never connects is closed with 3000', async (t) => {
    const raw = await RawSocket.open(t, pinging);
    assert.deepEqual(await raw.closed(), { code: 3000, reason: 'no connect within 10 s' });
    assert.deepEqual(raw.texts, []);
  });

  test('a token that runs out ends the connection with 3005, and is then refused', async (t) => {
    const buyer = (await Project.create(pinging)).buyer();
    // The server grants 30 s for differing clocks: this token still opens a connection.
    const auth = buyer.token({ exp: now() - 25 });
    const { raw, connect } = await connected(t, pinging, { auth, project_id: buyer.project.id });
    assert.ok(connect, 'accepted at first');
    raw.onEntry = (entry) => entry.text === '{}' && raw.text('{}');
    assert.equal((await raw.closed()).code, 3005);
    const again = await RawSocket.open(t, pinging);
    again.text(JSON.stringify({ id: 1, connect: { data: { auth, project_id: buyer.project.id } } }));
    assert.equal(JSON.parse(await again.nthText(1)).error.code, 109);
  });
});
