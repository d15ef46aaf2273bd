// Official SDK without a WebSocket: each fallback transport carries the same session, and what was
// missed while it was broken arrives once, in order.

import assert from 'node:assert/strict';
import { after } from 'node:test';
import { Cable } from '../lib/cable.js';
import { Project } from '../lib/project.js';
import { FALLBACKS, Tracker } from '../lib/sdk.js';
import { Server } from '../lib/server.js';
import { test } from '../lib/case.js';

const shared = await Server.start();
after(() => shared.stop());
const project = await Project.create(shared);

async function watched(t, transport, mode, settings) {
  const server = await Server.start(settings);
  t.after(() => server.stop());
  const cable = await Cable.to(server);
  t.after(() => cable.close());
  const buyer = (await Project.create(server)).buyer();
  const order = await buyer.order();
  const tracker = Tracker.connect(t, cable, mode, buyer.connectData(), { transport });
  await tracker.publications(1);
  const { streamPosition } = await tracker.subscribed();
  return { server, cable, buyer, order, tracker, epoch: streamPosition.epoch };
}

async function assertWhole({ tracker, order, epoch }, statuses) {
  const expected = statuses.map((status, at) => [at + 1, order, status]);
  assert.deepEqual(await tracker.publications(statuses.length), expected);
  const again = await tracker.subscribed(2);
  assert.equal(again.recovered, true);
  assert.equal(again.streamPosition.epoch, epoch);
  await tracker.fence();
  assert.deepEqual(tracker.seen(), expected);
}

for (const [transport, mode] of FALLBACKS) {
  const name = `${transport}, ${mode}`;

  test(`${name}: connect, publications, history`, async (t) => {
    const buyer = project.buyer();
    const first = await buyer.order();
    const tracker = Tracker.connect(t, shared, mode, buyer.connectData(), { transport });
    const { transport: used } = await tracker.event('connected');
    assert.equal(used, transport);
    await tracker.publications(1);
    const second = await buyer.order();
    await buyer.pay(first);
    const expected = [
      [1, first, 'new'],
      [2, second, 'new'],
      [3, first, 'paid'],
    ];
    assert.deepEqual(await tracker.publications(3), expected);
    const { channel, streamPosition } = await tracker.subscribed();
    const history = await tracker.history(channel, { limit: -1, since: { offset: 0 } });
    assert.deepEqual(history, { publications: expected, offset: 3, epoch: streamPosition.epoch });
    await assert.rejects(tracker.client.rpc('anything', null), { code: 108 });
    assert.equal(tracker.of('connected').length, 1);
  });

  test(`${name}: a bad credential is told as on a WebSocket`, async (t) => {
    const data = { ...project.buyer().connectData(), auth: 'nobody' };
    const tracker = Tracker.connect(t, shared, mode, data, { transport });
    const { code, reason } = await tracker.event('disconnected');
    assert.deepEqual([code, reason], [1, 'unauthorized']);
  });

  test(`${name}: changes while the network is cut arrive after it`, async (t) => {
    const scene = await watched(t, transport, mode);
    scene.cable.cut();
    await scene.tracker.event('connecting', 2);
    await scene.buyer.pay(scene.order);
    await scene.buyer.done(scene.order);
    scene.cable.mend();
    await assertWhole(scene, ['new', 'paid', 'done']);
  });

  test(`${name}: a killed server comes back with its epoch and all changes`, async (t) => {
    const scene = await watched(t, transport, mode);
    scene.cable.loseAnswers();
    await scene.buyer.pay(scene.order);
    await scene.server.end('SIGKILL');
    await scene.tracker.event('connecting', 2);
    await scene.server.startAgain();
    await assertWhole(scene, ['new', 'paid']);
  });

  test(`${name}: a stopped server drains with 3001 and comes back with its epoch`, async (t) => {
    const scene = await watched(t, transport, mode, { ORDERCAST_DRAIN_SECONDS: '1' });
    assert.deepEqual(await scene.server.end('SIGTERM'), { code: 0, signal: null });
    assert.equal((await scene.tracker.event('connecting', 2)).code, 3001);
    await scene.server.startAgain();
    await scene.tracker.event('connected', 2);
    await scene.buyer.pay(scene.order);
    await assertWhole(scene, ['new', 'paid']);
  });
}
