// The proxies' recipes of the documentation, with the official SDK through each: every transport
// carries an order's whole way, and the server sees who its clients are.

import assert from 'node:assert/strict';
import { test as nodeTest } from 'node:test';
import http2 from 'node:http2';
import https from 'node:https';
import WebSocket from 'ws';
import { Project } from '../lib/project.js';
import { Tracker } from '../lib/sdk.js';
import { Server, logs } from '../lib/server.js';
import { PROXIES, Proxy } from './proxy.js';

const TRANSPORTS = [undefined, 'http_stream', 'sse'];

function test(name, body) {
  return nodeTest(name, async (t) => {
    try {
      await body(t);
    } catch (error) {
      console.error(`-- server log of "${name}"\n${logs()}\n-- end of log`);
      throw error;
    }
  });
}

async function behind(t, name, settings = {}) {
  const server = await Server.start({ ORDERCAST_TRUSTED_PROXIES: '127.0.0.1/32', ...settings });
  t.after(() => server.stop());
  const proxy = await Proxy.start(t, name, server);
  const buyer = (await Project.create(server)).buyer();
  return { server, proxy, buyer };
}

for (const name of PROXIES) {
  for (const transport of TRANSPORTS) {
    test(`${name}: an order's whole way over ${transport ?? 'websocket'}`, async (t) => {
      const { proxy, buyer } = await behind(t, name);
      const order = await buyer.order();
      const tracker = Tracker.connect(t, proxy, 'json', buyer.connectData(), { transport });
      // Each is waited for before the next is made: a proxy that collects answers hangs here.
      await tracker.publications(1);
      await buyer.pay(order);
      await tracker.publications(2);
      await buyer.done(order);
      const expected = ['new', 'paid', 'done'].map((status, at) => [at + 1, order, status]);
      assert.deepEqual(await tracker.publications(3), expected);
      // The buyer's token is in the address of an event stream, and in no log.
      assert.ok(!proxy.accessLog.includes('eyJ'), proxy.accessLog);
    });
  }

  test(`${name}: a poll that waits is answered when the status changes`, async (t) => {
    const { proxy, buyer } = await behind(t, name);
    const order = await buyer.order();
    const { etag } = (await buyer.get(order)).headers;
    const path = `/api/v2/project/${buyer.project.id}/order/${order}?wait=20`;
    const headers = { authorization: `Bearer ${buyer.token()}`, 'if-none-match': etag };
    const answer = ask(proxy, path, headers);
    await buyer.pay(order);
    assert.equal(JSON.parse((await answer).text).status, 'paid');
  });

  test(`${name}: polls share one HTTP/2 connection`, async (t) => {
    const { proxy, buyer } = await behind(t, name);
    const order = await buyer.order();
    const session = http2.connect(`https://${proxy.host}:${proxy.port}`);
    t.after(() => session.close());
    const path = `/api/v2/project/${buyer.project.id}/order/${order}`;
    const polls = Array.from({ length: 8 }, () => get(session, path, buyer.token()));
    for (const { status } of await Promise.all(polls)) assert.equal(status, 200);
  });

  test(`${name}: the limit per address counts clients, whatever they say of themselves`, async (t) => {
    const { proxy } = await behind(t, name, { ORDERCAST_CONNECTIONS_PER_IP: '1' });
    const open = (localAddress, said) => upgrade(t, proxy, localAddress, { 'x-forwarded-for': said });
    assert.equal(await open('127.0.0.5', '192.0.2.1'), 101);
    assert.equal(await open('127.0.0.6', '192.0.2.1'), 101);
    assert.notEqual(await open('127.0.0.5', '192.0.2.99'), 101);
  });
}

function ask({ host, port }, path, headers) {
  return new Promise((resolve, reject) => {
    const request = https.get({ host, port, path, headers, agent: false }, (answer) => {
      let text = '';
      answer.on('data', (chunk) => (text += chunk));
      answer.on('end', () => resolve({ status: answer.statusCode, text }));
    });
    request.on('error', reject);
  });
}

function get(session, path, token) {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':path': path, authorization: `Bearer ${token}` });
    let status;
    stream.on('response', (headers) => (status = headers[':status']));
    stream.on('error', reject);
    stream.resume().on('end', () => resolve({ status }));
  });
}

/** The HTTP status of an upgrade; one that is let in stays open until its test ends. */
function upgrade(t, { host, port }, localAddress, headers) {
  return new Promise((resolve) => {
    const socket = new WebSocket(`wss://${host}:${port}/connection/websocket`, { localAddress, headers });
    socket.once('open', () => resolve(101));
    socket.once('unexpected-response', (request, answer) => {
      resolve(answer.statusCode);
      // Kept open for a next request, it would keep the test's process too.
      request.destroy();
    });
    socket.on('error', () => resolve(0));
    t.after(() => socket.terminate());
  });
}
