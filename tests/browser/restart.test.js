// The server is killed between payment and push, again and again: the page shows each status once.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { launch, quit, withShop } from './shop.js';

const ROUNDS = Number(process.env.ROUNDS ?? 20);
const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000);
// Half of the rounds before the provider is answered, half until after `done`.
const DONE_AFTER_MS = 1_800;

let world;
before(async () => (world = await launch()));
after(async () => quit(world));

// mulberry32: a failed run is repeated by its seed.
function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

// How long a payment takes here and now: what the moments of half of the rounds are spread over.
async function timeToPay(shop) {
  await shop.buy();
  const payment = await shop.payment();
  const started = performance.now();
  assert.ok((await shop.pay(payment)).ok);
  const took = performance.now() - started;
  await shop.status('done');
  return took;
}

test(`kill -9 between pay and push, ${ROUNDS} times, SEED=${SEED}`, async (t) => {
  const next = random(SEED);
  const ways = {};
  await withShop(world, async (shop) => {
    const paying = await timeToPay(shop);
    for (let round = 0; round < ROUNDS; round += 1) {
      await shop.buy(['Ember Lantern', 'Second Wind'][round % 2]);
      const payment = await shop.payment();
      const moment = next() * [paying * 1.2, DONE_AFTER_MS][round % 2];

      const paid = shop.pay(payment).then((answer) => answer.ok, () => false);
      await delay(moment);
      await world.server.kill();
      await world.server.run();
      // A provider whose webhook was not answered tells again.
      if (!(await paid)) assert.ok((await shop.pay(payment)).ok);

      await shop.status('done');
      await shop.connection('closed');
      const timeline = await shop.timeline();
      const way = timeline.map((row) => row.split(' ')[1]).join(' ');
      ways[way] = (ways[way] ?? 0) + 1;
      const statuses = timeline.map((row) => row.split(' ')[0]);
      const where = `round ${round}, killed after ${moment.toFixed(1)} ms: ${timeline}`;
      // A poll sees where the order is, not the way there.
      const isPolled = way.includes('polled');
      const wanted = ['new', 'paid', 'done'].filter((s) => !isPolled || statuses.includes(s));
      assert.deepEqual(statuses, wanted, where);
    }
    // A dead server cannot be asked for the record: that much is to be expected.
    shop.complaints = shop.complaints.filter((text) => !/ERR_|WebSocket connection/.test(text));
  });
  t.diagnostic(`how new, paid, done came: ${JSON.stringify(ways)}`);
});
