// The server is killed twenty times, each time while payments are being told to it. The provider
// repeats what was not answered, as providers do; the client must see each change once.

import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { Cable } from '../lib/cable.js';
import { Project } from '../lib/project.js';
import { Tracker } from '../lib/sdk.js';
import { Server } from '../lib/server.js';
import { test } from '../lib/case.js';

const KILLS = 20;
const ORDERS_EACH = 5;
const MOMENT_MS_MAX = 12;
const SEED = Number(process.env.ORDERCAST_SEED ?? Date.now() % 1_000_000);

test(`killed ${KILLS} times between pay and push, nothing is lost or doubled (ORDERCAST_SEED=${SEED})`, async (t) => {
  const random = generator(SEED);
  const server = await Server.start();
  t.after(() => server.stop());
  const cable = await Cable.to(server);
  t.after(() => cable.close());
  const project = await Project.create(server);
  const buyer = project.buyer();
  const tracker = Tracker.connect(t, cable, 'json', buyer.connectData());
  const { epoch } = (await tracker.subscribed()).streamPosition;

  const expected = new Map();
  for (let round = 1; round <= KILLS; round += 1) {
    const orders = await Promise.all(Array.from({ length: ORDERS_EACH }, () => buyer.order()));
    const told = Promise.allSettled(
      orders.map((order) => project.deliver(buyer.event('order_paid', order))),
    );
    // Not a wait for something: the moment of the kill is the input of this test.
    await pause(random() * MOMENT_MS_MAX);
    await server.end('SIGKILL');
    const answers = await told;
    await server.startAgain();
    for (const [at, order] of orders.entries()) {
      const before = answers[at].value;
      // What was answered was on disk.
      if (before?.status === 200) assert.equal((await buyer.get(order)).json().status, 'paid');
      const again = await project.deliver(buyer.event('order_paid', order));
      assert.equal(again.status, 200, again.text);
      if (before?.status === 200) assert.equal(again.json().duplicate, true);
      expected.set(order, ['new', 'paid']);
    }
    await tracker.publications(round * ORDERS_EACH * 2);
  }

  await tracker.fence();
  const seen = tracker.seen();
  assert.deepEqual(
    seen.map(([offset]) => offset),
    seen.map((_, at) => at + 1),
    'offsets without gap or repeat',
  );
  const statuses = new Map();
  for (const [, order, status] of seen) {
    statuses.set(order, [...(statuses.get(order) ?? []), status]);
  }
  assert.deepEqual(statuses, expected);
  for (const subscribed of tracker.of('subscribed').slice(1)) {
    assert.equal(subscribed.recovered, true);
    assert.equal(subscribed.streamPosition.epoch, epoch);
  }
});

/** Mulberry32: a seed that failed can be run again. */
function generator(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
