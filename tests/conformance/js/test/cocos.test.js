// Cocos alone: id 0, unasked pongs, nothing but publications, a browser's Origin.

import assert from 'node:assert/strict';
import { after } from 'node:test';
import { Project } from '../lib/project.js';
import { Server } from '../lib/server.js';
import { test } from '../lib/case.js';
import { Cocos } from '../models/cocos.js';
import { ask, upgradeLines } from '../raw/handshake.js';

const ALLOWED = 'https://game.example';

const server = await Server.start({ ORDERCAST_ALLOWED_ORIGINS: ALLOWED });
after(() => server.stop());
const project = await Project.create(server);

test('a connect with id 0 is answered', async (t) => {
  const buyer = project.buyer();
  const client = await Cocos.open(t, server, { auth: buyer.token(), project, id: 0 });
  const reply = JSON.parse(await client.socket.nthText(1));
  assert.equal(reply.id ?? 0, 0);
  assert.ok(reply.connect.subs);
  const order = await buyer.order();
  await client.reached(order, 'new');
});

test('unasked {} never closes the connection', async (t) => {
  const buyer = project.buyer();
  const client = await Cocos.open(t, server, { auth: buyer.token(), project });
  client.sendUnasked(30);
  const order = await buyer.order();
  await client.reached(order, 'new');
  assert.equal(client.socket.journal.entries.some((entry) => entry.close || entry.end), false);
});

test('no push is of another kind than pub', async (t) => {
  const buyer = project.buyer();
  const order = await buyer.order();
  const client = await Cocos.open(t, server, { auth: buyer.token(), project });
  await buyer.pay(order);
  await buyer.done(order);
  await client.reached(order, 'done');
  const [reply, ...pushes] = client.socket.texts.map((text) => JSON.parse(text));
  assert.ok(reply.connect);
  for (const { push, ...more } of pushes) {
    assert.deepEqual(more, {});
    assert.deepEqual(Object.keys(push).sort(), ['channel', 'pub']);
    assert.deepEqual(Object.keys(push.pub).sort(), ['data', 'offset']);
    assert.deepEqual(Object.keys(push.pub.data).sort(), ['order_id', 'status']);
  }
  assert.deepEqual(client.losses, []);
});

test('a browser build is let in from an allowed Origin, and from no other', async (t) => {
  const buyer = project.buyer();
  const lines = [`Origin: ${ALLOWED}`];
  const client = await Cocos.open(t, server, { auth: buyer.token(), project, lines });
  const order = await buyer.order();
  await client.reached(order, 'new');
  for (const origin of ['https://evil.example', 'https://game.example.evil.example', 'null']) {
    const refused = await ask(server, { lines: [...upgradeLines().lines, `Origin: ${origin}`] });
    t.after(() => refused.socket.destroy());
    assert.equal(refused.status, 403, origin);
    assert.equal(refused.headers.has('sec-websocket-accept'), false);
  }
});
