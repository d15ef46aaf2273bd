// Official SDK with several transports: one refused handshake sends it to the next one, where it stays for
// the life of the page. So who comes too fast, or while the server stops, is told to come again after a
// handshake, and is on a WebSocket in the end.

import assert from 'node:assert/strict';
import { test } from '../lib/case.js';
import { Cable } from '../lib/cable.js';
import { Project } from '../lib/project.js';
import { TRANSPORTS, Tracker } from '../lib/sdk.js';
import { Server } from '../lib/server.js';

const PAGES = 6;

async function start(t, settings) {
  const server = await Server.start(settings);
  t.after(() => server.stop());
  return { server, project: await Project.create(server) };
}

const open = (t, at, project) =>
  Tracker.connect(t, at, 'json', project.buyer().connectData(), { transports: TRANSPORTS });

test(`${PAGES} pages that come at once all end on a WebSocket`, async (t) => {
  const { server, project } = await start(t, {
    ORDERCAST_CONNECT_BURST: '1',
    ORDERCAST_CONNECTS_PER_SECOND: '2',
  });
  const pages = Array.from({ length: PAGES }, () => open(t, server, project));
  const connected = await Promise.all(pages.map((page) => page.event('connected')));
  assert.deepEqual(connected.map(({ transport }) => transport), pages.map(() => 'websocket'));
  const turnedAway = pages.flatMap((page) => page.of('close')).filter(({ code }) => code === 3013);
  assert.notEqual(turnedAway.length, 0, 'the limit was reached');
});

test('pages that find all places taken wait for one on a WebSocket', async (t) => {
  const { server, project } = await start(t, { ORDERCAST_CONNECTIONS: '1' });
  const first = open(t, server, project);
  await first.event('connected');
  const second = open(t, server, project);
  await second.journal.until(({ event, code }) => event === 'close' && code === 3013, 'close 3013');
  first.client.disconnect();
  assert.equal((await second.event('connected')).transport, 'websocket');
});

test('a page that comes while the server stops is back on a WebSocket', async (t) => {
  const { server, project } = await start(t, { ORDERCAST_DRAIN_SECONDS: '1' });
  const cable = await Cable.to(server);
  t.after(() => cable.close());
  const page = open(t, cable, project);
  await page.event('connected');
  const ended = server.end('SIGTERM');
  // Closed by the drain, it comes again at once, and is told so again.
  const isDrained = ({ event, code }) => event === 'close' && code === 3001;
  await page.journal.take(2, isDrained, 'close 3001, twice');
  cable.cut();
  await ended;
  page.client.disconnect();
  await server.startAgain();
  cable.mend();
  page.client.connect();
  assert.equal((await page.event('connected', 2)).transport, 'websocket');
});
