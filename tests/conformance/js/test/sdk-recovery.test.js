// Official SDK: the network fails, the server dies or is replaced; every change arrives once, in
// order.

import assert from 'node:assert/strict';
import { Cable } from '../lib/cable.js';
import { Project } from '../lib/project.js';
import { MODES, Tracker } from '../lib/sdk.js';
import { Server } from '../lib/server.js';
import { test } from '../lib/case.js';

/** A tracker behind a cable, with one order that is `new`. */
async function watched(t, mode, settings) {
  const server = await Server.start(settings);
  t.after(() => server.stop());
  const cable = await Cable.to(server);
  t.after(() => cable.close());
  const buyer = (await Project.create(server)).buyer();
  const order = await buyer.order();
  const tracker = Tracker.connect(t, cable, mode, buyer.connectData());
  await tracker.publications(1);
  return { server, cable, buyer, order, tracker, epoch: (await tracker.subscribed()).streamPosition.epoch };
}

/** After the change of connection: recovered, the same epoch, each status once. */
async function assertWhole({ tracker, order, epoch }, statuses, connections = 2) {
  const expected = statuses.map((status, at) => [at + 1, order, status]);
  assert.deepEqual(await tracker.publications(statuses.length), expected);
  const again = await tracker.subscribed(connections);
  assert.equal(again.wasRecovering, true);
  assert.equal(again.recovered, true);
  assert.equal(again.streamPosition.epoch, epoch);
  await tracker.fence();
  assert.deepEqual(tracker.seen(), expected);
}

for (const mode of MODES) {
  test(`${mode}: changes while the network is cut arrive after it`, async (t) => {
    const scene = await watched(t, mode);
    scene.cable.cut();
    await scene.tracker.event('connecting', 2);
    await scene.buyer.pay(scene.order);
    await scene.buyer.done(scene.order);
    scene.cable.mend();
    await assertWhole(scene, ['new', 'paid', 'done']);
    const again = await scene.tracker.subscribed(2);
    assert.equal(again.streamPosition.offset, 1, "the client's own position");
    assert.equal(again.hasRecoveredPublications, true);
  });

  test(`${mode}: changes that were sent into a dead connection arrive on the next`, async (t) => {
    const scene = await watched(t, mode);
    scene.cable.loseAnswers();
    await scene.buyer.pay(scene.order);
    await scene.buyer.done(scene.order);
    scene.cable.cut();
    await scene.tracker.event('connecting', 2);
    scene.cable.mend();
    await assertWhole(scene, ['new', 'paid', 'done']);
  });

  test(`${mode}: a reconnect that missed nothing is recovered with nothing`, async (t) => {
    const scene = await watched(t, mode);
    scene.cable.cut();
    await scene.tracker.event('connecting', 2);
    scene.cable.mend();
    await assertWhole(scene, ['new']);
    await scene.buyer.pay(scene.order);
    await assertWhole(scene, ['new', 'paid']);
  });

  test(`${mode}: a killed server comes back with its epoch and all changes`, async (t) => {
    const scene = await watched(t, mode);
    scene.cable.loseAnswers();
    await scene.buyer.pay(scene.order);
    await scene.server.end('SIGKILL');
    await scene.tracker.event('connecting', 2);
    await scene.server.startAgain();
    await assertWhole(scene, ['new', 'paid']);
    await scene.buyer.done(scene.order);
    await assertWhole(scene, ['new', 'paid', 'done']);
  });

  test(`${mode}: a stopped server drains with 3001 and comes back with its epoch`, async (t) => {
    const scene = await watched(t, mode, { ORDERCAST_DRAIN_SECONDS: '1' });
    const ended = await scene.server.end('SIGTERM');
    assert.deepEqual(ended, { code: 0, signal: null });
    const connecting = await scene.tracker.event('connecting', 2);
    assert.equal(connecting.code, 3001);
    assert.notEqual(connecting.reason, '');
    await scene.server.startAgain();
    await scene.tracker.event('connected', 2);
    await scene.buyer.pay(scene.order);
    await assertWhole(scene, ['new', 'paid']);
  });
}
