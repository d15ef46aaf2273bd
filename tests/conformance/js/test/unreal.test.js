// Unreal alone: an unknown subprotocol, TABs, a negative id, a payment token for several orders.

import assert from 'node:assert/strict';
import { after } from 'node:test';
import { Project } from '../lib/project.js';
import { Server } from '../lib/server.js';
import { test } from '../lib/case.js';
import { Unreal } from '../models/unreal.js';

/** Twice this is below the server's burst of 40 commands; the SDK itself sends one in 25 s. */
const UNASKED = 15;

const server = await Server.start();
after(() => server.stop());
const project = await Project.create(server);

test('the subprotocol wss is accepted and not echoed', async (t) => {
  const buyer = project.buyer();
  const { token } = await buyer.buy();
  const { socket } = await Unreal.open(t, server, { auth: token, project });
  assert.equal(socket.headers.has('sec-websocket-protocol'), false);
  assert.equal(socket.headers.has('sec-websocket-extensions'), false);
});

for (const id of [-(2 ** 31), 2 ** 31 - 1]) {
  test(`TABs between tokens are read, the id ${id} is echoed`, async (t) => {
    const buyer = project.buyer();
    const { token } = await buyer.buy();
    const { socket } = await Unreal.open(t, server, { auth: token, project, id });
    const reply = JSON.parse(await socket.nthText(1));
    assert.equal(reply.id, id);
    assert.ok(reply.connect.subs);
  });
}

test('a payment token opens the channel of its user: later orders come too', async (t) => {
  const buyer = project.buyer();
  const { order_id: first, token } = await buyer.buy();
  const client = await Unreal.open(t, server, { auth: token, project });
  await client.reached(first, 'new');
  const { order_id: second, token: secondToken } = await buyer.buy();
  await client.reached(second, 'new');
  await buyer.pay(second);
  await client.reached(second, 'paid');
  await buyer.pay(first);
  await client.reached(first, 'paid');
  assert.equal((await buyer.get(second, secondToken)).json().status, 'paid');
  assert.deepEqual(client.losses, []);
});

test('a payment token polls its own order only', async () => {
  const buyer = project.buyer();
  const { order_id: first, token } = await buyer.buy();
  const { order_id: second } = await buyer.buy();
  assert.equal((await buyer.get(first, token)).status, 200);
  assert.equal((await buyer.get(second, token)).status, 404);
});

test('unasked {} never closes the connection', async (t) => {
  const buyer = project.buyer();
  const { order_id: order, token } = await buyer.buy();
  const client = await Unreal.open(t, server, { auth: token, project });
  client.sendUnasked(UNASKED);
  await client.reached(order, 'new');
  client.sendUnasked(UNASKED);
  await buyer.pay(order);
  await client.reached(order, 'paid');
  assert.deepEqual(client.losses, []);
  assert.equal(client.socket.journal.entries.some((entry) => entry.close || entry.end), false);
});
