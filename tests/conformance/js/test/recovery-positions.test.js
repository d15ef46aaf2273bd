// What a client that presents a position is owed: exactly the missing publications, or the plain
// word that it cannot be told.

import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { Project } from '../lib/project.js';
import { Server } from '../lib/server.js';
import { test } from '../lib/case.js';
import { RawSocket } from '../raw/socket.js';

/** Realtime contract, A5. */
const RECOVERED_MAX = 1_000;
const TOP = 1_004;

const server = await Server.start();
after(() => server.stop());
const project = await Project.create(server);
const buyer = project.buyer();
let channel;
let epoch;

before(async () => {
  // Four publications an order; orders side by side share commits.
  await Promise.all(
    Array.from({ length: TOP / 4 }, async () => {
      const order = await buyer.order();
      for (const status of ['paid', 'done', 'canceled']) await project.transition(order, status);
    }),
  );
});

async function connect(t, position) {
  const raw = await RawSocket.open(t, server);
  const subs = position && { [channel]: { recover: true, ...position } };
  raw.text(JSON.stringify({ id: 1, connect: { data: buyer.connectData(), subs } }));
  const { connect } = JSON.parse(await raw.nthText(1));
  const [[name, subscription], ...more] = Object.entries(connect.subs);
  assert.deepEqual(more, []);
  return { raw, name, subscription };
}

test('a first connect tells channel, epoch and the position of the repeats', async (t) => {
  const { name, subscription } = await connect(t);
  [channel, epoch] = [name, subscription.epoch];
  assert.equal(subscription.offset, TOP - 64);
  assert.equal(subscription.recovered ?? false, false);
  assert.equal('publications' in subscription, false, 'repeats are pushes');
});

for (const [missed, name] of [
  [0, 'nothing'],
  [1, 'one'],
  [301, 'more than the 300 of other servers'],
  [RECOVERED_MAX, 'the limit'],
]) {
  test(`${name} missed: recovered with exactly that, from the client's own position`, async (t) => {
    const { raw, subscription } = await connect(t, { epoch, offset: TOP - missed });
    assert.equal(subscription.recovered, true);
    assert.equal(subscription.was_recovering, true);
    assert.equal(subscription.epoch, epoch);
    assert.equal(subscription.offset, TOP - missed);
    const offsets = (subscription.publications ?? []).map(({ offset }) => offset);
    assert.deepEqual(offsets, Array.from({ length: missed }, (_, at) => TOP - missed + at + 1));
    await assertNoPush(raw);
  });
}

const LOST = {
  'one more than the limit': () => ({ epoch, offset: TOP - RECOVERED_MAX - 1 }),
  'the beginning of a long channel': () => ({ epoch, offset: 0 }),
  'another epoch': () => ({ epoch: 'AnotherEpoch', offset: TOP - 1 }),
  'a position above the top': () => ({ epoch, offset: TOP + 1 }),
  'an empty epoch with an offset': () => ({ offset: TOP - 1 }),
};

for (const [name, position] of Object.entries(LOST)) {
  test(`${name}: not recovered, no publications, the current top`, async (t) => {
    const { raw, subscription } = await connect(t, position());
    assert.equal(subscription.recovered ?? false, false);
    assert.equal(subscription.was_recovering, true);
    assert.equal('publications' in subscription, false);
    assert.equal(subscription.epoch, epoch);
    assert.equal(subscription.offset, TOP);
    await assertNoPush(raw);
  });
}

test('a position in a foreign channel gives nothing of it', async (t) => {
  const stranger = project.buyer();
  const raw = await RawSocket.open(t, server);
  const subs = { [channel]: { recover: true, epoch, offset: TOP - 1 } };
  raw.text(JSON.stringify({ id: 1, connect: { data: stranger.connectData(), subs } }));
  const { connect } = JSON.parse(await raw.nthText(1));
  assert.equal(channel in connect.subs, false);
  assert.equal(Object.values(connect.subs)[0].offset ?? 0, 0);
  await assertNoPush(raw);
});

/** The answer to a ping comes after all that was sent before. */
async function assertNoPush(raw) {
  raw.text('{"id":2,"ping":{}}');
  const second = JSON.parse(await raw.nthText(2));
  assert.deepEqual(second, { id: 2, ping: {} });
}
