// Official SDK: what a connect announces, what a publication holds, what a client may not do.

import assert from 'node:assert/strict';
import { after } from 'node:test';
import { Project } from '../lib/project.js';
import { rs256, claims, rsaKey } from '../lib/jwt.js';
import { MODES, Tracker } from '../lib/sdk.js';
import { Server } from '../lib/server.js';
import { test } from '../lib/case.js';

const server = await Server.start();
after(() => server.stop());
const project = await Project.create(server);

for (const mode of MODES) {
  test(`${mode}: the personal channel is announced recoverable, positioned, with an epoch`, async (t) => {
    const buyer = project.buyer();
    const tracker = Tracker.connect(t, server, mode, buyer.connectData());
    const connected = await tracker.event('connected');
    assert.match(connected.client, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    const subscribed = await tracker.subscribed();
    assert.equal(subscribed.recoverable, true);
    assert.equal(subscribed.positioned, true);
    assert.equal(subscribed.wasRecovering, false);
    assert.equal(subscribed.recovered, false);
    assert.match(subscribed.streamPosition.epoch, /^[A-Za-z0-9]{1,16}$/);
    assert.equal(subscribed.streamPosition.offset, 0);
    assert.equal(tracker.of('subscribed').length, 1, 'one channel a connection');
  });

  test(`${mode}: statuses arrive as {order_id, status} and nothing else, offsets from 1`, async (t) => {
    const buyer = project.buyer();
    const tracker = Tracker.connect(t, server, mode, buyer.connectData());
    const { channel } = await tracker.subscribed();
    const order = await buyer.order();
    await buyer.pay(order);
    await buyer.done(order);
    await tracker.publications(3);
    assert.deepEqual(
      tracker.of('publication'),
      ['new', 'paid', 'done'].map((status, at) => ({
        event: 'publication',
        channel,
        offset: at + 1,
        data: { order_id: order, status },
      })),
    );
  });

  test(`${mode}: one connection carries all orders of its user and none of others`, async (t) => {
    const [buyer, stranger] = [project.buyer(), project.buyer()];
    const other = await Project.create(server);
    const namesake = other.buyer(buyer.user);
    const tracker = Tracker.connect(t, server, mode, buyer.connectData());
    await tracker.subscribed();
    const first = await buyer.order();
    await stranger.pay(await stranger.order());
    await namesake.pay(await namesake.order());
    const second = await buyer.order();
    await buyer.pay(first);
    assert.deepEqual(await tracker.publications(3), [
      [1, first, 'new'],
      [2, second, 'new'],
      [3, first, 'paid'],
    ]);
    await tracker.fence();
    assert.equal(tracker.seen().length, 3);
  });

  test(`${mode}: user_external_id is optional, project_id may be text, auth may be RS256`, async (t) => {
    const key = rsaKey();
    const rsa = await Project.create(server, { rs256_public_key: key.publicPem });
    const buyer = rsa.buyer();
    const auth = rs256(key.privateKey, claims(buyer.user));
    const data = { auth, project_id: String(rsa.id) };
    const tracker = Tracker.connect(t, server, mode, data);
    await tracker.subscribed();
    const order = await buyer.order();
    assert.deepEqual(await tracker.publications(1), [[1, order, 'new']]);
  });

  test(`${mode}: a client cannot subscribe, publish, read presence or call procedures`, async (t) => {
    const buyer = project.buyer();
    const tracker = Tracker.connect(t, server, mode, buyer.connectData());
    const { channel } = await tracker.subscribed();
    const { client } = tracker;

    const subscription = client.newSubscription('news');
    const refused = new Promise((resolve) => subscription.on('unsubscribed', resolve));
    subscription.subscribe();
    assert.equal((await refused).code, 103);

    const data = new TextEncoder().encode('{"order_id":1,"status":"done"}');
    const payload = mode === 'protobuf' ? data : { order_id: 1, status: 'done' };
    const code = (promise) => promise.then(() => 'granted', (error) => error.code);
    for (const name of [channel, 'news']) {
      assert.ok([103, 108].includes(await code(client.publish(name, payload))), 'publish');
      assert.ok([103, 108].includes(await code(client.presence(name))), 'presence');
      assert.ok([103, 108].includes(await code(client.presenceStats(name))), 'presence stats');
    }
    assert.equal(await code(client.rpc('anything', payload)), 108);

    const order = await buyer.order();
    assert.deepEqual(await tracker.publications(1), [[1, order, 'new']], 'the session goes on');
  });

  test(`${mode}: nothing asks the client to refresh a token that it does not have`, async (t) => {
    const tracker = Tracker.connect(t, server, mode, project.buyer().connectData());
    await tracker.subscribed();
    await tracker.fence();
    assert.deepEqual(tracker.of('error'), []);
    assert.equal(tracker.client.state, 'connected');
  });
}
