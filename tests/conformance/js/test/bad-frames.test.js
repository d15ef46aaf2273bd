// Bad input over the WebSocket: each gets its close code and a reason that can be read, the server
// lives on, and an honest client is still served.

import assert from 'node:assert/strict';
import { after } from 'node:test';
import { Honest } from '../lib/honest.js';
import { Project } from '../lib/project.js';
import { Server } from '../lib/server.js';
import { test } from '../lib/case.js';
import { OPCODE, frame } from '../raw/frames.js';
import { RawSocket } from '../raw/socket.js';

/** Of a client that has shown no credential yet. */
const CONNECT_BYTES_MAX = 16 * 1024;
const MESSAGE_BYTES_MAX = 65_536;

const server = await Server.start();
after(() => server.stop());
const project = await Project.create(server);

const text = (payload, options) => frame(OPCODE.text, payload, options);
const history = '{"id":9,"history":{"channel":"x","limit":1}}';

// Sent as the first thing on a fresh connection.
const BEFORE_CONNECT = {
  'an unmasked frame': [1002, text('{}', { masked: false })],
  'a reserved bit': [1002, text('{}', { rsv: 4 })],
  'a reserved opcode': [1002, frame(3, 'x')],
  'a reserved control opcode': [1002, frame(11, 'x')],
  'a control frame in pieces': [1002, frame(OPCODE.ping, 'x', { isLast: false })],
  'a control frame of 126 bytes': [1002, frame(OPCODE.ping, 'x'.repeat(126))],
  'a continuation of nothing': [1002, frame(OPCODE.continuation, 'x')],
  'a text frame inside a message': [
    1002,
    Buffer.concat([text('{', { isLast: false }), text('}')]),
  ],
  'bad UTF-8': [1007, text(Buffer.from([0x7b, 0xff, 0xfe, 0x7d]))],
  'UTF-8 that breaks off': [1007, text(Buffer.from([0x22, 0xe2, 0x82]))],
  'a frame above the limit': [1009, text(' '.repeat(MESSAGE_BYTES_MAX + 1))],
  'a message above the limit, in pieces': [
    1009,
    Buffer.concat([
      text(' '.repeat(40_000), { isLast: false }),
      frame(OPCODE.continuation, ' '.repeat(40_000)),
    ]),
  ],
  'a message of too many pieces': [
    1009,
    Buffer.concat([
      text('{', { isLast: false }),
      ...Array.from({ length: 100 }, () => frame(OPCODE.continuation, ' ', { isLast: false })),
    ]),
  ],
  'a binary frame on the JSON endpoint': [3501, frame(OPCODE.binary, [0])],
  'what is not JSON': [3501, text('connect me, please')],
  'JSON that breaks off': [3501, text('{"id":1,"connect":{')],
  'JSON of another shape': [3501, text('[1,2,3]')],
  'an empty frame': [3501, text('')],
  'a command before connect': [3501, text(history)],
  'a subscribe before connect': [3501, text('{"id":1,"subscribe":{"channel":"x"}}')],
  'an id without a command': [3501, text('{"id":1}')],
  'JSON nested too deep': [3501, text('['.repeat(5_000) + ']'.repeat(5_000))],
  'seventeen commands in a frame': [3501, text('{}\n'.repeat(17))],
  'seventeen positions to recover': [
    3501,
    text(JSON.stringify({ id: 1, connect: { data: project.buyer().connectData(), subs: positions(17) } })),
  ],
};

function positions(count) {
  const names = Array.from({ length: count }, (_, at) => `orders:1#${at}`);
  return Object.fromEntries(names.map((name) => [name, { recover: true, offset: 1 }]));
}

for (const [name, [code, bytes]] of Object.entries(BEFORE_CONNECT)) {
  test(`${name}: ${code}`, async (t) => {
    const honest = await Honest.connect(t, project);
    const raw = await RawSocket.open(t, server);
    raw.bytes(bytes);
    assertClose(await raw.closed(), code);
    assert.deepEqual(raw.texts, []);
    await honest.isServed();
  });
}

const PROTOBUF = { lines: ['Sec-WebSocket-Protocol: centrifuge-protobuf'] };

// Sent as the first thing on a fresh protobuf connection.
const PROTOBUF_BEFORE_CONNECT = {
  'a text frame on the protobuf endpoint': [3501, text('{}')],
  'a length beyond the frame': [3501, frame(OPCODE.binary, [9, 8, 1])],
  'a length without end': [3501, frame(OPCODE.binary, Array(11).fill(0x80))],
  'what is not protobuf': [3501, frame(OPCODE.binary, [2, 0xff, 0xff])],
  'an empty binary frame': [3501, frame(OPCODE.binary, [])],
  'seventeen pongs in a frame': [3501, frame(OPCODE.binary, Array(17).fill(0))],
  'a protobuf command before connect': [3501, frame(OPCODE.binary, [4, 8, 1, 0x5a, 0])],
};

for (const [name, [code, bytes]] of Object.entries(PROTOBUF_BEFORE_CONNECT)) {
  test(`${name}: ${code}`, async (t) => {
    const honest = await Honest.connect(t, project);
    const raw = await RawSocket.open(t, server, PROTOBUF);
    raw.bytes(bytes);
    assertClose(await raw.closed(), code);
    assert.deepEqual(raw.journal.entries.filter((entry) => 'binary' in entry), []);
    await honest.isServed();
  });
}

// Sent after an accepted connect.
const AFTER_CONNECT = {
  'a second connect': [3501, (data) => JSON.stringify({ id: 2, connect: { data } })],
  'history without a channel': [3501, () => '{"id":2,"history":{"limit":1}}'],
  'subscribe without a channel': [3501, () => '{"id":2,"subscribe":{}}'],
  'an unknown command': [3501, () => '{"id":2,"dance":{}}'],
  'what is not JSON': [3501, () => '{"id":2,'],
};

for (const [name, [code, command]] of Object.entries(AFTER_CONNECT)) {
  test(`after connect, ${name}: ${code}`, async (t) => {
    const honest = await Honest.connect(t, project);
    const data = project.buyer().connectData();
    const raw = await RawSocket.open(t, server);
    raw.text(JSON.stringify({ id: 1, connect: { data } }));
    await raw.nthText(1);
    raw.text(command(data));
    assertClose(await raw.closed(), code);
    assert.equal(raw.texts.length, 1, 'nothing but the connect reply');
    await honest.isServed();
  });
}

test('a connect without data or without auth never leaves the socket open', async (t) => {
  const honest = await Honest.connect(t, project);
  for (const connect of [{}, { data: {} }, { data: 7 }, { data: { project_id: project.id } }]) {
    const raw = await RawSocket.open(t, server);
    raw.text(JSON.stringify({ id: 1, connect }));
    const close = await raw.closed();
    assert.ok([3500, 3501].includes(close.code), `${JSON.stringify(connect)}: ${close.code}`);
    assertClose(close, close.code);
  }
  await honest.isServed();
});

test('a message of exactly the limit is read', async (t) => {
  const raw = await RawSocket.open(t, server);
  const command = JSON.stringify({ id: 1, connect: { data: project.buyer().connectData() } });
  raw.text(command.padEnd(CONNECT_BYTES_MAX, ' '));
  assert.equal(JSON.parse(await raw.nthText(1)).id, 1);
  raw.text('{"id":2,"ping":{}}'.padEnd(MESSAGE_BYTES_MAX, ' '));
  assert.equal(JSON.parse(await raw.nthText(2)).id, 2);
});

test('a message in pieces, with a control ping between them, is one command', async (t) => {
  const raw = await RawSocket.open(t, server);
  const command = JSON.stringify({ id: 1, connect: { data: project.buyer().connectData() } });
  raw.bytes(text(command.slice(0, 10), { isLast: false }));
  raw.ping('between');
  raw.bytes(frame(OPCODE.continuation, command.slice(10)));
  assert.equal(JSON.parse(await raw.nthText(1)).id, 1);
  assert.ok(raw.journal.entries.some((entry) => entry.pong === 'between'));
});

test('several commands in one frame are answered in order, a frame each', async (t) => {
  const raw = await RawSocket.open(t, server);
  const connect = { id: 1, connect: { data: project.buyer().connectData() } };
  const commands = [connect, { id: 2, ping: {} }, { id: 3, rpc: { method: 'x' } }];
  raw.text(commands.map((command) => JSON.stringify(command)).join('\n') + '\n');
  await raw.nthText(3);
  const replies = raw.texts.map((reply) => JSON.parse(reply));
  assert.deepEqual(replies.map(({ id }) => id), [1, 2, 3]);
  assert.deepEqual(replies[1], { id: 2, ping: {} });
  assert.equal(replies[2].error.code, 108);
});

/** Readable by people and safe for SDKs, which take JSON in a reason for advice. */
function assertClose(close, code) {
  assert.equal(close?.code, code, JSON.stringify(close));
  assert.match(close.reason, /^[A-Za-z]/);
  assert.ok(Buffer.byteLength(close.reason) <= 123);
  assert.throws(() => JSON.parse(close.reason), 'a reason that is JSON');
}
