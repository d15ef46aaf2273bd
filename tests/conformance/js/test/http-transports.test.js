// The fallback transports byte by byte: framing, `/emulation`, bad inputs, origins, limits.

import assert from 'node:assert/strict';
import net from 'node:net';
import { once } from 'node:events';
import { after, describe } from 'node:test';
import { Honest } from '../lib/honest.js';
import { request } from '../lib/http.js';
import { Project } from '../lib/project.js';
import { Server } from '../lib/server.js';
import { test } from '../lib/case.js';
import { ask, upgradeLines } from '../raw/handshake.js';
import { RawSocket } from '../raw/socket.js';
import { RawStream } from '../raw/stream.js';

const ORIGIN = 'https://shop.example';
const server = await Server.start({ ORDERCAST_ALLOWED_ORIGINS: ORIGIN });
const pinging = await Server.start({ ORDERCAST_PING_SECONDS: '5' });
const perAddress = await Server.start({ ORDERCAST_CONNECTIONS_PER_IP: '2' });
const perUser = await Server.start({ ORDERCAST_CONNECTIONS_PER_USER: '2' });
const total = await Server.start({ ORDERCAST_CONNECTIONS: '2' });
const slow = await Server.start({ ORDERCAST_CONNECT_BURST: '2', ORDERCAST_CONNECTS_PER_SECOND: '1' });
const proxied = await Server.start({
  ORDERCAST_CONNECTIONS_PER_IP: '1',
  ORDERCAST_TRUSTED_PROXIES: '127.0.0.0/8,10.0.0.0/8',
});
const servers = [server, pinging, perAddress, perUser, total, slow, proxied];
after(() => Promise.all(servers.map((each) => each.stop())));
const project = await Project.create(server);

const connectCommand = (buyer, id = 1) => JSON.stringify({ id, connect: { data: buyer.connectData() } });
const asQuery = (path, text) => `${path}?cf_connect=${encodeURIComponent(text)}`;
const emulate = (at, body) =>
  request(at, 'POST', '/emulation', {
    headers: { 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });

async function connected(t, at, buyer, transport = 'http_stream') {
  const body = connectCommand(buyer);
  const stream = await RawStream.open(t, at, `/connection/${transport}`, { body });
  const { connect } = await stream.nth(1);
  const { session, node } = connect;
  return { stream, connect, say: (data) => emulate(at, { session, node, data }) };
}

for (const transport of ['http_stream', 'sse']) {
  test(`${transport}: commands come by /emulation, replies by the stream`, async (t) => {
    const { stream, connect, say } = await connected(t, server, project.buyer(), transport);
    assert.equal(connect.pong, true);
    assert.notEqual(connect.session, '');
    assert.notEqual(connect.node, '');
    assert.equal((await say('{"id":2,"ping":{}}\n{"id":3,"rpc":{}}')).status, 204);
    assert.deepEqual(await stream.nth(2), { id: 2, ping: {} });
    assert.equal((await stream.nth(3)).error.code, 108);
  });

  test(`${transport}: a bad command ends it with a push`, async (t) => {
    const { stream, say } = await connected(t, server, project.buyer(), transport);
    assert.equal((await say('nonsense')).status, 204);
    const { push } = await stream.last();
    assert.equal(push.disconnect.code, 3501);
  });

  for (const bad of ['', 'nonsense', '{"id":1,"ping":{}}', '{"id":1}']) {
    test(`${transport}: "${bad}" instead of connect ends it with 3501`, async (t) => {
      const honest = await Honest.connect(t, project);
      const stream = await RawStream.open(t, server, `/connection/${transport}`, { body: bad });
      assert.equal(stream.status, 200);
      assert.equal((await stream.last()).push.disconnect.code, 3501);
      await honest.isServed();
    });
  }

  test(`${transport}: a bad credential gets 109 and then 3500`, async (t) => {
    const body = JSON.stringify({ id: 7, connect: { data: { auth: 'nobody', project_id: project.id } } });
    const stream = await RawStream.open(t, server, `/connection/${transport}`, { body });
    assert.deepEqual(await stream.nth(1), { id: 7, error: { code: 109, message: 'token expired' } });
    assert.equal((await stream.last()).push.disconnect.code, 3500);
  });

  test(`${transport}: over 64 KiB is refused with 413`, async (t) => {
    const body = `{"id":1,"connect":{"token":"${'x'.repeat(65_536)}"}}`;
    const stream = await RawStream.open(t, server, `/connection/${transport}`, { body });
    assert.equal(stream.status, 413);
  });
}

test('sse by GET takes its commands from the query', async (t) => {
  const path = asQuery('/connection/sse', connectCommand(project.buyer(), 9));
  const stream = await RawStream.open(t, server, path, { method: 'GET' });
  assert.equal((await stream.nth(1)).id, 9);
});

for (const path of ['/connection/sse', '/connection/uni_sse']) {
  for (const search of ['', '?cf_connect=', '?cf_connect=%7B%7D&cf_connect=%7B%7D', '?cf_connect=%ff']) {
    test(`GET ${path}${search} is refused`, async () => {
      const answer = await request(server, 'GET', path + search);
      if (search.endsWith('%ff')) return void assert.equal(await server.isWell(), true);
      assert.equal(answer.status, 400);
      assert.equal(answer.json().code, 'cf_connect');
    });
  }
}

const METHODS = {
  '/connection/http_stream': ['GET', 'PUT', 'DELETE'],
  '/connection/sse': ['PUT'],
  '/connection/uni_sse': ['DELETE'],
  '/connection/uni_http_stream': ['GET'],
  '/connection/uni_websocket': ['POST'],
  '/emulation': ['GET'],
};
for (const [path, methods] of Object.entries(METHODS)) {
  for (const method of methods) {
    test(`${method} ${path} is refused with 405`, async () => {
      assert.equal((await request(server, method, path)).status, 405);
    });
  }
}

test('/emulation: what it cannot read, does not hold or does not know', async (t) => {
  const buyer = project.buyer();
  const { stream, connect, say } = await connected(t, server, buyer);
  const { session, node } = connect;
  for (const bad of ['', 'nonsense', '[]', '{"session":1}', JSON.stringify({ session, node, data: {} })]) {
    const answer = await emulate(server, bad);
    assert.equal(answer.status, 400, bad);
    assert.equal(answer.json().code, 'bad_emulation');
  }
  const elsewhere = await emulate(server, { session, node: 'elsewhere', data: '{}' });
  assert.equal(elsewhere.status, 404);
  assert.equal(elsewhere.json().code, 'unknown_node');
  const [id] = session.split('.');
  for (const other of ['', '.', id, `${id}.`, `${id}.${'0'.repeat(32)}`, 'ffffffffffffffffff.0', session.toUpperCase() + 'x']) {
    const answer = await emulate(server, { session: other, node, data: 'nonsense' });
    assert.equal(answer.status, 204, other);
  }
  // Nobody else's words have reached the session.
  assert.equal((await say('{"id":2,"ping":{}}')).status, 204);
  assert.deepEqual(await stream.nth(2), { id: 2, ping: {} });
  const big = await emulate(server, { session, node, data: 'x'.repeat(65_536) });
  assert.equal(big.status, 413);
  stream.destroy();
});

describe('origins', () => {
  const PATHS = ['http_stream', 'sse', 'uni_sse', 'uni_http_stream'].map((name) => `/connection/${name}`);
  for (const path of [...PATHS, '/emulation']) {
    test(`${path}: a page of an allowed origin is told so`, async () => {
      const headers = {
        origin: ORIGIN,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'content-type,x-anything',
      };
      const asked = await request(server, 'OPTIONS', path, { headers });
      assert.equal(asked.status, 204);
      assert.equal(asked.headers['access-control-allow-origin'], ORIGIN);
      assert.equal(asked.headers['access-control-allow-credentials'], 'true');
      assert.equal(asked.headers['access-control-allow-headers'], 'content-type,x-anything');
      assert.match(asked.headers['access-control-allow-methods'], /POST/);
      assert.equal(asked.headers['access-control-max-age'], '300');
      const answer = await request(server, 'POST', path, { headers: { origin: ORIGIN }, body: 'x' });
      assert.equal(answer.headers['access-control-allow-origin'], ORIGIN);
      assert.equal(answer.headers.vary, 'origin');
    });

    test(`${path}: a page of another origin is refused`, async () => {
      for (const [method, origin] of [['OPTIONS', 'https://evil.example'], ['POST', 'null']]) {
        const answer = await request(server, method, path, { headers: { origin }, body: 'x' });
        assert.equal(answer.status, 403);
        assert.equal('access-control-allow-origin' in answer.headers, false);
      }
    });
  }

  test('/connection/uni_websocket: as /connection/websocket', async (t) => {
    const lines = [...upgradeLines().lines, 'Origin: https://evil.example'];
    const answer = await ask(server, { path: '/connection/uni_websocket', lines });
    t.after(() => answer.socket.destroy());
    assert.equal(answer.status, 403);
  });
});

describe('limits', () => {
  const stream = (t, at, headers) => {
    const path = '/connection/uni_http_stream';
    return RawStream.open(t, at, path, { headers, body: { data: {} } });
  };

  for (const [name, at, status] of [
    ['address', perAddress, 429],
    ['server', total, 503],
  ]) {
    test(`connections of one ${name} are counted over all transports`, async (t) => {
      const buyer = (await Project.create(at)).buyer();
      const { stream: first } = await connected(t, at, buyer);
      await RawSocket.open(t, at);
      const refused = await stream(t, at);
      assert.equal(refused.status, status);
      assert.match(refused.headers['retry-after'], /^[0-9]+$/);
      // A WebSocket that is only to come again is told so after its handshake: a refused one sends the
      // official SDK to another transport for good.
      if (name === 'server') {
        assert.equal((await (await RawSocket.open(t, at)).closed()).code, 3013);
      } else {
        const socket = await ask(at, { lines: upgradeLines().lines });
        socket.socket.destroy();
        assert.equal(socket.status, status);
      }
      // The place is free when the server has seen the end, which nobody else can observe.
      first.destroy();
      let again;
      do again = await stream(t, at);
      while (again.status === status);
      assert.equal(again.status, 200);
    });
  }

  test('connections of one user are counted over all transports', async (t) => {
    const buyer = (await Project.create(perUser)).buyer();
    await connected(t, perUser, buyer);
    const raw = await RawSocket.open(t, perUser);
    raw.text(connectCommand(buyer));
    await raw.nthText(1);
    const body = { data: buyer.connectData() };
    const refused = await RawStream.open(t, perUser, '/connection/uni_http_stream', { body });
    assert.equal((await refused.last()).disconnect.code, 3013);
  });

  test('those who come too fast are told to come again', async (t) => {
    const all = await Promise.all(Array.from({ length: 12 }, () => stream(t, slow)));
    const refused = all.filter(({ status }) => status === 503);
    assert.notEqual(refused.length, 0);
    assert.ok(all.filter(({ status }) => status === 200).length >= 2);
    for (const { headers } of refused) assert.match(headers['retry-after'], /^[0-9]+$/);
    const closed = (await RawSocket.open(t, slow)).closed();
    assert.equal((await closed).code, 3013);
  });

  test('behind a named proxy the clients are counted, not the proxy', async (t) => {
    const buyer = (await Project.create(proxied)).buyer();
    const open = async (headers) => {
      const body = { data: buyer.connectData() };
      const opened = await RawStream.open(t, proxied, '/connection/uni_http_stream', { headers, body });
      if (opened.status === 200) await opened.nth(1);
      return opened.status;
    };
    assert.equal(await open({ 'x-forwarded-for': '198.51.100.1' }), 200);
    assert.equal(await open({ 'x-forwarded-for': '198.51.100.2, 10.1.2.3' }), 200);
    assert.equal(await open({ 'x-forwarded-for': '203.0.113.99, 198.51.100.1' }), 429, 'made up');
    const made = { forwarded: 'for=203.0.113.99', 'x-forwarded-for': '198.51.100.1' };
    assert.equal(await open(made), 429, 'not the header that the proxy writes');
  });

  test('nobody else is believed about who a client is', async (t) => {
    const at = await Server.start({ ORDERCAST_CONNECTIONS_PER_IP: '1' });
    t.after(() => at.stop());
    const buyer = (await Project.create(at)).buyer();
    await connected(t, at, buyer);
    const headers = { 'x-forwarded-for': '198.51.100.1', forwarded: 'for=198.51.100.1' };
    assert.equal((await stream(t, at, headers)).status, 429);
  });
});

describe('by the clock', { concurrency: true }, () => {
  for (const transport of ['http_stream', 'sse']) {
    test(`${transport}: pongs come by /emulation`, async (t) => {
      const buyer = (await Project.create(pinging)).buyer();
      const { stream, say } = await connected(t, pinging, buyer, transport);
      for (const count of [2, 3]) {
        assert.deepEqual(await stream.nth(count), {});
        assert.equal((await say('{}')).status, 204);
      }
    });

    test(`${transport}: a client that does not answer pings is closed with 3012`, async (t) => {
      const buyer = (await Project.create(pinging)).buyer();
      const { stream } = await connected(t, pinging, buyer, transport);
      const { push } = await stream.last();
      assert.equal(push.disconnect.code, 3012);
      assert.equal(push.disconnect.reconnect, true);
    });
  }

  for (const [name, sent] of [
    ['nothing', ''],
    ['half a head', 'GET /connection/websocket HTTP/1.1\r\nHost: x\r\n'],
  ]) {
    test(`a client that sends ${name} is cut`, async (t) => {
      const socket = net.connect(server.port, server.host);
      t.after(() => socket.destroy());
      socket.on('error', () => {});
      socket.resume();
      socket.write(sent);
      await once(socket, 'close');
      assert.equal(await server.isWell(), true);
    });
  }
});
