// Official SDK: what happened before a client connected arrives as ordinary publications.

import assert from 'node:assert/strict';
import { after } from 'node:test';
import { Project } from '../lib/project.js';
import { MODES, Tracker } from '../lib/sdk.js';
import { Server } from '../lib/server.js';
import { test } from '../lib/case.js';

/** Realtime contract, A4. */
const REPLAYED_MAX = 64;

const server = await Server.start();
after(() => server.stop());
const project = await Project.create(server);

for (const mode of MODES) {
  test(`${mode}: statuses from before the connect follow it, in order`, async (t) => {
    const buyer = project.buyer();
    const order = await buyer.order();
    await buyer.pay(order);
    const tracker = Tracker.connect(t, server, mode, buyer.connectData());
    await tracker.publications(2);
    await buyer.done(order);
    assert.deepEqual(await tracker.publications(3), [
      [1, order, 'new'],
      [2, order, 'paid'],
      [3, order, 'done'],
    ]);
    const { streamPosition, hasRecoveredPublications } = await tracker.subscribed();
    assert.equal(streamPosition.offset, 0, 'the position from which the pushes follow');
    assert.equal(hasRecoveredPublications, false);
    const events = tracker.entries.map((entry) => entry.event);
    assert.ok(events.indexOf('connected') < events.indexOf('publication'));
    await tracker.fence();
    assert.equal(tracker.seen().length, 3);
  });

  test(`${mode}: at most the last ${REPLAYED_MAX} are repeated, and the position says so`, async (t) => {
    const buyer = project.buyer();
    const log = await busyChannel(buyer, 17);
    const tracker = Tracker.connect(t, server, mode, buyer.connectData());
    const { streamPosition } = await tracker.subscribed();
    assert.equal(streamPosition.offset, log.length - REPLAYED_MAX);
    assert.deepEqual(await tracker.publications(REPLAYED_MAX), log.slice(-REPLAYED_MAX));
    await tracker.fence();
    assert.equal(tracker.seen().length, REPLAYED_MAX);
  });

  test(`${mode}: an order that changes while clients connect is seen whole by each`, async (t) => {
    const buyer = project.buyer();
    const order = await buyer.order();
    const changes = (async () => {
      await buyer.pay(order);
      await buyer.done(order);
      await buyer.project.transition(order, 'canceled');
    })();
    const trackers = Array.from({ length: 6 }, () =>
      Tracker.connect(t, server, mode, buyer.connectData()),
    );
    await changes;
    const whole = ['new', 'paid', 'done', 'canceled'].map((s, at) => [at + 1, order, s]);
    for (const tracker of trackers) {
      assert.deepEqual(await tracker.publications(4), whole);
      await tracker.fence();
      assert.deepEqual(tracker.seen(), whole);
    }
  });
}

/** Orders that went through all four statuses: four publications each. The channel's log. */
async function busyChannel(buyer, orders) {
  const log = [];
  for (let at = 0; at < orders; at += 1) {
    const order = await buyer.order();
    await buyer.pay(order);
    await buyer.done(order);
    await buyer.project.transition(order, 'canceled');
    for (const status of ['new', 'paid', 'done', 'canceled']) {
      log.push([log.length + 1, order, status]);
    }
  }
  return log;
}
