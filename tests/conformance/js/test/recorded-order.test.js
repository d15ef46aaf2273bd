// A recorded webhook, byte for byte: it moves its order, once, and whoever watches sees it.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after } from 'node:test';
import { Project } from '../lib/project.js';
import { MODES, Tracker } from '../lib/sdk.js';
import { Server } from '../lib/server.js';
import { test } from '../lib/case.js';

const FIXTURES = process.env.ORDERCAST_FIXTURES
  ? new URL(`file://${process.env.ORDERCAST_FIXTURES}/`)
  : new URL('../../../fixtures/', import.meta.url);
const body = readFileSync(new URL('provider-order_paid.raw.json', FIXTURES));

// What the recorded body names.
const PROJECT = 308_077;
const ORDER = 689_810_880;
const USER = 'a1b2c3d4-0000-4000-8000-019fb6caa51e';
const SKU = 'artifact_centaurs_axe';

/** A server of its own: the recorded ids exist once. */
async function recorded(t) {
  const server = await Server.start();
  t.after(() => server.stop());
  const price = { amount: '1.99', currency: 'USD' };
  const items = [{ sku: SKU, name: "Centaur's axe", price }];
  const project = await Project.create(server, { project_id: PROJECT, items });
  assert.equal(project.id, PROJECT);
  const buyer = project.buyer(USER);
  // The recorded payment was one of the sandbox: test money pays test orders only.
  const order = { order_id: ORDER, mode: 'sandbox', items: [{ sku: SKU, quantity: 1, price }] };
  const createOrder = () => buyer.order(order);
  return { project, buyer, createOrder };
}

for (const mode of MODES) {
  test(`${mode}: the recorded body moves its order to paid, and a watching client sees it`, async (t) => {
    const { project, buyer, createOrder } = await recorded(t);
    const tracker = Tracker.connect(t, project.server, mode, buyer.connectData());
    await tracker.subscribed();
    assert.equal(await createOrder(), ORDER);
    const answer = await project.deliver(body);
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.json().state, 'applied');
    assert.deepEqual(await tracker.publications(2), [
      [1, ORDER, 'new'],
      [2, ORDER, 'paid'],
    ]);
    const got = (await buyer.get(ORDER)).json();
    assert.equal(got.status, 'paid');
    assert.equal(got.content.price.amount, '1.99');
  });
}

test('delivered before its order exists it is kept, and applied when the order is made', async (t) => {
  const { project, buyer, createOrder } = await recorded(t);
  const tracker = Tracker.connect(t, project.server, 'json', buyer.connectData());
  await tracker.subscribed();
  const early = await project.deliver(body);
  assert.equal(early.status, 200, early.text);
  assert.equal(early.json().state, 'parked');
  await createOrder();
  assert.deepEqual(await tracker.publications(2), [
    [1, ORDER, 'new'],
    [2, ORDER, 'paid'],
  ]);
  const statuses = (await project.versions(ORDER)).map(({ status }) => status).sort();
  assert.deepEqual(statuses, ['new', 'paid']);
});

test('kept across a restart, it still waits for its order', async (t) => {
  const { project, buyer, createOrder } = await recorded(t);
  assert.equal((await project.deliver(body)).json().state, 'parked');
  await project.server.end('SIGKILL');
  await project.server.startAgain();
  await createOrder();
  assert.equal((await buyer.get(ORDER)).json().status, 'paid');
});

test('delivered three times at once it makes one transition', async (t) => {
  const { project, buyer, createOrder } = await recorded(t);
  const tracker = Tracker.connect(t, project.server, 'json', buyer.connectData());
  await tracker.subscribed();
  await createOrder();
  const answers = await Promise.all([1, 2, 3].map(() => project.deliver(body)));
  for (const answer of answers) assert.equal(answer.status, 200, answer.text);
  const duplicates = answers.map((answer) => answer.json().duplicate).sort();
  assert.deepEqual(duplicates, [false, true, true]);
  await buyer.done(ORDER);
  assert.deepEqual(await tracker.publications(3), [
    [1, ORDER, 'new'],
    [2, ORDER, 'paid'],
    [3, ORDER, 'done'],
  ]);
  assert.equal((await project.deliver(body)).json().duplicate, true, 'and long after');
  await tracker.fence();
  assert.equal(tracker.seen().length, 3);
  assert.equal((await project.versions(ORDER)).length, 3);
});
