// Android and iOS alone: the subprotocol echoed, binary frames only, pretty-printed data, recovery
// by the library.

import assert from 'node:assert/strict';
import { after } from 'node:test';
import { Project } from '../lib/project.js';
import { Server } from '../lib/server.js';
import { test } from '../lib/case.js';
import { Android, Ios } from '../models/mobile.js';
import { connectCommand, replies } from '../raw/protobuf.js';
import { RawSocket } from '../raw/socket.js';

const server = await Server.start({ ORDERCAST_PING_SECONDS: '5' });
after(() => server.stop());
const project = await Project.create(server);

for (const Sdk of [Android, Ios]) {
  test(`${Sdk.name}: the subprotocol is echoed, an offered compression is not used`, async (t) => {
    const buyer = project.buyer();
    const { socket } = await Sdk.open(t, server, { auth: buyer.token(), project });
    assert.equal(socket.headers.get('sec-websocket-protocol'), 'centrifuge-protobuf');
    assert.equal(socket.headers.has('sec-websocket-extensions'), false);
  });

  test(`${Sdk.name}: the connect reply names channel, ping and pong, and no end`, async (t) => {
    const buyer = project.buyer();
    const client = await Sdk.open(t, server, { auth: buyer.token(), project });
    const { subs, ping, pong, expires, ttl } = await client.connected();
    assert.deepEqual([ping, pong, expires, ttl], [5, true, false, 0]);
    const [subscription, ...more] = Object.values(subs);
    assert.deepEqual(more, []);
    assert.equal(subscription.recoverable, true);
    assert.equal(subscription.positioned, true);
    assert.match(subscription.epoch, /^[A-Za-z0-9]{1,16}$/);
  });

  test(`${Sdk.name}: everything comes in binary frames, pings included`, async (t) => {
    const buyer = project.buyer();
    const client = await Sdk.open(t, server, { auth: buyer.token(), project });
    await client.journal.take(2, (entry) => entry.pinged, 'two pings');
    const order = await buyer.order();
    await client.reached(order, 'new');
    assert.deepEqual(client.losses, []);
    const pings = client.socket.journal.entries.filter(
      ({ binary }) => binary && replies(binary).some((reply) => reply.ping),
    );
    for (const { binary } of pings) assert.equal(binary.toString('hex'), '00');
  });

  test(`${Sdk.name}: the library reconnects and gets exactly what it missed`, async (t) => {
    const buyer = project.buyer();
    const order = await buyer.order();
    const first = await Sdk.open(t, server, { auth: buyer.token(), project });
    await first.reached(order, 'new');
    const [[channel, { epoch }]] = Object.entries((await first.connected()).subs);
    first.socket.destroy();
    await buyer.pay(order);
    await buyer.done(order);
    const recover = { channel, epoch, offset: 1 };
    const second = await Sdk.open(t, server, { auth: buyer.token(), project, recover });
    const { publications, ...position } = (await second.connected()).subs[channel];
    assert.deepEqual(position, {
      recoverable: true,
      positioned: true,
      recovered: true,
      epoch,
      offset: 1,
    });
    assert.deepEqual(publications.map((pub) => pub.offset), [2, 3]);
    await project.transition(order, 'canceled');
    assert.equal((await second.reached(order, 'canceled')).offset, 4);
    const missed = ['paid', 'done', 'canceled'];
    assert.deepEqual(second.statuses(order), missed, 'nothing is pushed twice');
  });
}

for (const query of ['format=protobuf', 'cf_protocol=protobuf']) {
  test(`?${query} speaks protobuf without a subprotocol`, async (t) => {
    const buyer = project.buyer();
    const raw = await RawSocket.open(t, server, { path: `/connection/websocket?${query}` });
    assert.equal(raw.headers.has('sec-websocket-protocol'), false);
    const data = Android.data({ auth: buyer.token(), projectId: project.id });
    raw.binary(connectCommand({ id: 1, data, name: 'java' }));
    const { binary } = await raw.journal.until((entry) => entry.binary, 'binary reply');
    const [reply] = replies(binary);
    assert.equal(reply.id, 1);
    assert.equal(Object.keys(reply.connect.subs).length, 1);
  });
}
