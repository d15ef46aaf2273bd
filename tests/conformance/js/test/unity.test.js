// Unity alone: a handshake without extras, control pings, ids up to 2^31-1.

import assert from 'node:assert/strict';
import { after } from 'node:test';
import { Project } from '../lib/project.js';
import { Server } from '../lib/server.js';
import { test } from '../lib/case.js';
import { Unity } from '../models/unity.js';

const server = await Server.start({ ORDERCAST_PING_SECONDS: '5' });
after(() => server.stop());
const project = await Project.create(server);

test('the upgrade answers nothing that was not asked for', async (t) => {
  const buyer = project.buyer();
  const { socket } = await Unity.open(t, server, { auth: buyer.token(), project });
  assert.equal(socket.headers.has('sec-websocket-protocol'), false);
  assert.equal(socket.headers.has('sec-websocket-extensions'), false);
  assert.ok(['13', undefined].includes(socket.headers.get('sec-websocket-version')));
});

for (const id of [1, 2 ** 31 - 1]) {
  test(`the connect reply echoes the id ${id}, and announces channel, ping and pong`, async (t) => {
    const buyer = project.buyer();
    const { socket } = await Unity.open(t, server, { auth: buyer.token(), project, id });
    const reply = JSON.parse(await socket.nthText(1));
    assert.deepEqual(Object.keys(reply).sort(), ['connect', 'id']);
    assert.equal(reply.id, id);
    const { subs, ping, pong, expires, ttl } = reply.connect;
    assert.deepEqual([ping, pong, expires, ttl], [5, true, undefined, undefined]);
    const [subscription, ...more] = Object.values(subs);
    assert.deepEqual(more, []);
    assert.equal(subscription.recoverable, true);
    assert.equal(subscription.positioned, true);
    assert.match(subscription.epoch, /^[A-Za-z0-9]{1,16}$/);
  });
}

test('many changes at once are a frame each', async (t) => {
  const buyer = project.buyer();
  const client = await Unity.open(t, server, { auth: buyer.token(), project });
  await client.socket.nthText(1);
  const orders = await Promise.all(Array.from({ length: 20 }, () => buyer.order()));
  for (const order of orders) await client.reached(order, 'new');
  assert.deepEqual(client.losses, []);
  for (const text of client.socket.texts) assert.equal(text, text.trim(), 'no line end');
  const offsets = client.journal.entries.filter((e) => e.order).map((e) => e.offset);
  assert.deepEqual(offsets, orders.map((_, at) => at + 1));
});

test('statuses from before the connect are pushed, after the connect reply', async (t) => {
  const buyer = project.buyer();
  const order = await buyer.order();
  await buyer.pay(order);
  const client = await Unity.open(t, server, { auth: buyer.token(), project });
  await client.reached(order, 'paid');
  assert.deepEqual(client.statuses(order), ['new', 'paid']);
  assert.ok('connect' in JSON.parse(client.socket.texts[0]));
});

test('WebSocket control pings are answered with their payload', async (t) => {
  const buyer = project.buyer();
  const client = await Unity.open(t, server, { auth: buyer.token(), project });
  await client.isAlive('');
  await client.isAlive('x'.repeat(125));
  const order = await buyer.order();
  await client.reached(order, 'new');
});

test('a ping frame is exactly {} and is answered; the connection lives on', async (t) => {
  const buyer = project.buyer();
  const client = await Unity.open(t, server, { auth: buyer.token(), project });
  await client.journal.take(2, (entry) => entry.pinged, 'two pings');
  const order = await buyer.order();
  await client.reached(order, 'new');
  assert.deepEqual(client.losses, []);
});
