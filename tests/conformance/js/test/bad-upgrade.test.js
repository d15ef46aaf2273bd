// Requests that must not become a WebSocket, and how many may.

import assert from 'node:assert/strict';
import { after } from 'node:test';
import { Honest } from '../lib/honest.js';
import { Project } from '../lib/project.js';
import { Server } from '../lib/server.js';
import { test } from '../lib/case.js';
import { ask, upgradeLines } from '../raw/handshake.js';
import { RawSocket } from '../raw/socket.js';

const PER_USER = 3;

const server = await Server.start();
const perUser = await Server.start({ ORDERCAST_CONNECTIONS_PER_USER: String(PER_USER) });
const perAddress = await Server.start({ ORDERCAST_CONNECTIONS_PER_IP: '2' });
after(() => Promise.all([server.stop(), perUser.stop(), perAddress.stop()]));
const project = await Project.create(server);

const good = () => upgradeLines().lines;
const without = (name) => good().filter((line) => !line.startsWith(name));

const TABLE = {
  'version 8': [426, { lines: [...without('Sec-WebSocket-Version'), 'Sec-WebSocket-Version: 8'] }],
  'no version': [426, { lines: without('Sec-WebSocket-Version') }],
  'no key': [400, { lines: without('Sec-WebSocket-Key') }],
  'a key of 3 bytes': [400, { lines: [...without('Sec-WebSocket-Key'), 'Sec-WebSocket-Key: AAAA'] }],
  'POST': [405, { method: 'POST', lines: [...good(), 'Content-Length: 0'] }],
  'an Origin that nobody allowed': [403, { lines: [...good(), 'Origin: https://evil.example'] }],
  'the Origin null': [403, { lines: [...good(), 'Origin: null'] }],
};

for (const [name, [status, request]] of Object.entries(TABLE)) {
  test(`${name}: ${status}`, async (t) => {
    const honest = await Honest.connect(t, project);
    const answer = await ask(server, request);
    t.after(() => answer.socket.destroy());
    assert.equal(answer.status, status);
    assert.equal(answer.headers.has('sec-websocket-accept'), false);
    if (status === 426) assert.equal(answer.headers.get('sec-websocket-version'), '13');
    await honest.isServed();
  });
}

// Python SDKs up to 0.6 send an empty subprotocol; engines send names that nobody knows.
for (const protocol of ['', 'wss', 'v1.graphql, chat']) {
  test(`the subprotocol "${protocol}" is accepted, not echoed, and means JSON`, async (t) => {
    const lines = [`Sec-WebSocket-Protocol: ${protocol}`];
    const raw = await RawSocket.open(t, server, { lines });
    assert.equal(raw.headers.has('sec-websocket-protocol'), false);
    raw.text(JSON.stringify({ id: 1, connect: { data: project.buyer().connectData() } }));
    assert.equal(JSON.parse(await raw.nthText(1)).id, 1);
  });
}

test('centrifuge-json is echoed and means JSON', async (t) => {
  const lines = ['Sec-WebSocket-Protocol: centrifuge-json'];
  const raw = await RawSocket.open(t, server, { lines });
  assert.equal(raw.headers.get('sec-websocket-protocol'), 'centrifuge-json');
  raw.text(JSON.stringify({ id: 1, connect: { data: project.buyer().connectData() } }));
  assert.equal(JSON.parse(await raw.nthText(1)).id, 1);
});

test('one connection too many of a user is refused, the old ones stay', async (t) => {
  const buyer = (await Project.create(perUser)).buyer();
  const connect = async () => {
    const raw = await RawSocket.open(t, perUser);
    raw.text(JSON.stringify({ id: 1, connect: { data: buyer.connectData() } }));
    return { raw, reply: JSON.parse(await raw.nthText(1)) };
  };
  const old = [];
  for (let at = 0; at < PER_USER; at += 1) old.push(await connect());
  for (const { reply } of old) assert.ok(reply.connect);

  const { raw, reply } = await connect();
  assert.deepEqual(reply, {
    id: 1,
    error: { code: 111, message: 'too many requests', temporary: true },
  });
  assert.equal((await raw.closed()).code, 3013);

  const order = await buyer.order();
  for (const { raw } of old) {
    const { push } = JSON.parse(await raw.nthText(2));
    assert.deepEqual(push.pub.data, { order_id: order, status: 'new' });
    raw.destroy();
    await raw.closed();
  }
});

test('one connection too many of an address is refused with 429, and again one may come', async (t) => {
  const first = await RawSocket.open(t, perAddress);
  await RawSocket.open(t, perAddress);
  const refused = await ask(perAddress, { lines: good() });
  t.after(() => refused.socket.destroy());
  assert.equal(refused.status, 429);
  assert.match(refused.headers.get('retry-after'), /^[0-9]+$/);
  // A command that is wrong ends one. Its place is free once the server has seen the client's end,
  // which the client cannot observe: it asks until it is let in.
  first.text('not JSON');
  assert.equal((await first.closed()).code, 3501);
  let status = 429;
  while (status === 429) {
    const again = await ask(perAddress, { lines: good() });
    again.socket.destroy();
    ({ status } = again);
  }
  assert.equal(status, 101);
});
