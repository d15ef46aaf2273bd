// One-way transports, without an SDK: bare pushes, the end as a push, positions that recover.

import assert from 'node:assert/strict';
import { after, describe } from 'node:test';
import { Honest } from '../lib/honest.js';
import { Project } from '../lib/project.js';
import { Server } from '../lib/server.js';
import { test } from '../lib/case.js';
import { RawSocket } from '../raw/socket.js';
import { RawStream } from '../raw/stream.js';

const server = await Server.start();
const pinging = await Server.start({ ORDERCAST_PING_SECONDS: '5', ORDERCAST_CONNECTION_LIFETIME_SECONDS: '14' });
after(() => Promise.all([server.stop(), pinging.stop()]));
const project = await Project.create(server);

const query = (request) => `cf_connect=${encodeURIComponent(request)}`;

/** A WebSocket as a stream of messages. */
class SocketStream {
  constructor(raw) {
    this.raw = raw;
  }

  async nth(count) {
    return JSON.parse(await this.raw.nthText(count));
  }

  async last() {
    const closed = await this.raw.closed();
    const message = JSON.parse(this.raw.texts.at(-1));
    assert.equal(closed.code, message.disconnect.code);
    assert.equal(closed.reason, message.disconnect.reason);
    return message;
  }
}

/** Each way to open one with the text of a connect request. */
const WAYS = {
  'uni_sse by GET': (t, at, request) =>
    RawStream.open(t, at, `/connection/uni_sse?${query(request)}`, { method: 'GET' }),
  'uni_sse by POST': (t, at, request) =>
    RawStream.open(t, at, '/connection/uni_sse', { body: request }),
  uni_http_stream: (t, at, request) =>
    RawStream.open(t, at, '/connection/uni_http_stream', { body: request }),
  'uni_websocket by query': async (t, at, request) =>
    new SocketStream(await RawSocket.open(t, at, { path: `/connection/uni_websocket?${query(request)}` })),
  'uni_websocket by message': async (t, at, request) => {
    const raw = await RawSocket.open(t, at, { path: '/connection/uni_websocket' });
    raw.text(request);
    return new SocketStream(raw);
  },
};

for (const [name, open] of Object.entries(WAYS)) {
  const connect = (t, request, at = server) => open(t, at, JSON.stringify(request));

  test(`${name}: a connect push, then publications, bare`, async (t) => {
    const buyer = project.buyer();
    const first = await buyer.order();
    const stream = await connect(t, { data: buyer.connectData(), name: 'curl' });
    const { connect: connected, ...rest } = await stream.nth(1);
    assert.deepEqual(rest, {});
    assert.match(connected.client, /^[0-9a-f-]{36}$/);
    assert.equal(connected.ping, 25);
    assert.equal('pong' in connected, false, 'a one-way client cannot answer');
    assert.equal('session' in connected, false, 'nor be spoken for');
    const [[channel, sub]] = Object.entries(connected.subs);
    assert.equal(sub.recoverable, true);
    assert.deepEqual(await stream.nth(2), {
      channel,
      pub: { data: { order_id: first, status: 'new' }, offset: 1 },
    });
    await buyer.pay(first);
    const { pub } = await stream.nth(3);
    assert.deepEqual(pub, { data: { order_id: first, status: 'paid' }, offset: 2 });
  });

  test(`${name}: a position is recovered`, async (t) => {
    const buyer = project.buyer();
    const order = await buyer.order();
    const before = await connect(t, { data: buyer.connectData() });
    const [[channel, { epoch }]] = Object.entries((await before.nth(1)).connect.subs);
    await buyer.pay(order);
    const subs = { [channel]: { recover: true, epoch, offset: 1 } };
    const stream = await connect(t, { data: buyer.connectData(), subs });
    const sub = (await stream.nth(1)).connect.subs[channel];
    assert.equal(sub.recovered, true);
    assert.deepEqual(sub.publications, [{ data: { order_id: order, status: 'paid' }, offset: 2 }]);
  });

  // `EventSource` comes again after every stream: only the status tells it that this is for good.
  const isRefusedByStatus = name.startsWith('uni_sse');

  test(`${name}: a bad credential ends it for good`, async (t) => {
    const stream = await connect(t, { data: { ...project.buyer().connectData(), auth: 'nobody' } });
    if (isRefusedByStatus) return assert.equal(stream.status, 401);
    const { disconnect } = await stream.last();
    assert.equal(disconnect.code, 3500);
    assert.equal('reconnect' in disconnect, false);
    assert.notEqual(disconnect.reason, '');
  });

  for (const bad of ['nonsense', '[]', '{"data":', '{"token":1}', '{}{}']) {
    test(`${name}: ${bad} is a bad request`, async (t) => {
      const honest = await Honest.connect(t, project);
      const stream = await open(t, server, bad);
      if (isRefusedByStatus) {
        assert.equal(stream.status, 400);
      } else {
        const { disconnect } = await stream.last();
        assert.equal(disconnect.code, 3501);
        assert.match(disconnect.reason, /^bad request: /);
      }
      await honest.isServed();
    });
  }
}

test('what a one-way client says after its connect is ignored, until it is too much', async (t) => {
  const buyer = project.buyer();
  const raw = await RawSocket.open(t, server, { path: '/connection/uni_websocket' });
  raw.text(JSON.stringify({ data: buyer.connectData() }));
  await raw.nthText(1);
  raw.text('{}');
  raw.text('nonsense');
  const order = await buyer.order();
  assert.equal(JSON.parse(await raw.nthText(2)).pub.data.order_id, order);
  for (let count = 0; count < 100; count += 1) raw.text('nonsense');
  assert.equal((await raw.closed()).code, 3013);
});

test('events have the shape and the headers that browsers and proxies need', async (t) => {
  const request = query(JSON.stringify({ data: project.buyer().connectData() }));
  const stream = await RawStream.open(t, server, `/connection/uni_sse?${request}`, { method: 'GET' });
  assert.equal(stream.headers['content-type'], 'text/event-stream');
  assert.match(stream.headers['cache-control'], /no-store/);
  assert.equal(stream.headers['x-accel-buffering'], 'no');
  await stream.nth(1);
  assert.match(stream.text, /^\r\nid: [A-Za-z0-9]{1,16}:0\ndata: \{"connect":.*\}\n\n$/);
});

describe('by the clock', { concurrency: true }, () => {
  for (const [name, open] of Object.entries(WAYS)) {
    test(`${name}: pings come, nobody need answer, a life ends with 3005`, async (t) => {
      const buyer = (await Project.create(pinging)).buyer();
      const stream = await open(t, pinging, JSON.stringify({ data: buyer.connectData() }));
      assert.deepEqual(await stream.nth(2), {});
      assert.deepEqual(await stream.nth(3), {});
      const { disconnect } = await stream.last();
      assert.equal(disconnect.code, 3005);
      assert.equal(disconnect.reconnect, true);
    });
  }
});
