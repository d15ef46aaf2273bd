// Official SDK: what it makes of each end that a client can bring about. It comes back where coming back
// helps, and stays away where it does not.

import assert from 'node:assert/strict';
import { after, describe } from 'node:test';
import { Cable } from '../lib/cable.js';
import { test } from '../lib/case.js';
import { Project } from '../lib/project.js';
import { MODES, Tracker } from '../lib/sdk.js';
import { Server } from '../lib/server.js';

const server = await Server.start({ ORDERCAST_PING_SECONDS: '5' });
const onePerUser = await Server.start({ ORDERCAST_CONNECTIONS_PER_USER: '1' });
after(() => Promise.all([server.stop(), onePerUser.stop()]));
const project = await Project.create(server);

/** A tracker that has seen its order as `new`. */
async function watching(t, mode, options) {
  const cable = await Cable.to(server);
  t.after(() => cable.close());
  const buyer = project.buyer();
  const order = await buyer.order();
  const tracker = Tracker.connect(t, cable, mode, buyer.connectData(), options);
  await tracker.publications(1);
  return { cable, buyer, order, tracker };
}

/** The close frame that the server sent, and what the SDK tells of it. */
async function closedWith(tracker, code, told) {
  const close = await tracker.event('close');
  assert.equal(close.code, code);
  assert.throws(() => JSON.parse(close.reason), 'older SDKs take JSON for advice to reconnect');
  assert.deepEqual([told.code, told.reason], [code, close.reason]);
}

async function isBackAndWhole({ buyer, order, tracker }) {
  const again = await tracker.subscribed(2);
  assert.equal(again.recovered, true);
  await buyer.pay(order);
  assert.deepEqual(await tracker.publications(2), [
    [1, order, 'new'],
    [2, order, 'paid'],
  ]);
}

/** `count` calls that are refused with 108; all of them, unless the connection ends. */
const refusedCalls = (tracker, count) =>
  Promise.all(
    Array.from({ length: count }, () =>
      tracker.client.rpc('anything', null).then(() => 'granted', (error) => error.code),
    ),
  );

describe('codes', { concurrency: true }, () => {
  for (const mode of MODES) {
    test(`${mode}: 3012 for pings without answers, and it comes back`, async (t) => {
      const scene = await watching(t, mode, { isMute: true });
      await closedWith(scene.tracker, 3012, await scene.tracker.event('connecting', 2));
      await isBackAndWhole(scene);
    });

    test(`${mode}: 3013 for too many commands, and it comes back`, async (t) => {
      const scene = await watching(t, mode);
      await refusedCalls(scene.tracker, 60);
      await closedWith(scene.tracker, 3013, await scene.tracker.event('connecting', 2));
      await isBackAndWhole(scene);
    });

    test(`${mode}: 3501 for a command without a channel, for good`, async (t) => {
      const { cable, tracker } = await watching(t, mode);
      await tracker.client.publish('', new Uint8Array([0x7b, 0x7d])).catch(() => {});
      await closedWith(tracker, 3501, await tracker.event('disconnected'));
      assert.equal(cable.dials, 1);
    });

    test(`${mode}: 3509 for errors that do not end, for good`, async (t) => {
      const { cable, tracker } = await watching(t, mode);
      // No more than the rate of commands allows: a ping is seconds after the one before.
      await refusedCalls(tracker, 30);
      await tracker.event('ping', 2);
      await refusedCalls(tracker, 30);
      await closedWith(tracker, 3509, await tracker.event('disconnected'));
      assert.equal(cable.dials, 1);
    });

    test(`${mode}: 111 for a connection too many, until there is room`, async (t) => {
      const buyer = (await Project.create(onePerUser)).buyer();
      const first = Tracker.connect(t, onePerUser, mode, buyer.connectData());
      await first.event('connected');
      const second = Tracker.connect(t, onePerUser, mode, buyer.connectData());
      const { error } = await second.event('error');
      assert.deepEqual(error, { code: 111, message: 'too many requests', temporary: true });
      // It goes on trying by itself; the first one is not disturbed.
      await second.event('error', 3);
      assert.equal(first.of('connecting').length, 1);
      first.client.disconnect();
      await second.event('connected');
      const order = await buyer.order();
      assert.deepEqual(await second.publications(1), [[1, order, 'new']]);
    });
  }
});
