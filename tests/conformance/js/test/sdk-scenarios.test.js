// Every shop SDK through everything that may happen to its connection: at the end it knows how its
// order ended, `done` or `canceled`, and has seen no status out of order.

import assert from 'node:assert/strict';
import { after, describe } from 'node:test';
import { Cable } from '../lib/cable.js';
import { test } from '../lib/case.js';
import { Project } from '../lib/project.js';
import { Server } from '../lib/server.js';
import { OrderCheck, SDKS } from '../models/order-check.js';
import { RawSocket } from '../raw/socket.js';
import { RawStream } from '../raw/stream.js';

const WAY = ['new', 'paid', 'done', 'canceled'];

const server = await Server.start();
const shortLived = await Server.start({ ORDERCAST_CONNECTION_LIFETIME_SECONDS: '10' });
const full = await Server.start({ ORDERCAST_CONNECTIONS_PER_IP: '1' });
const onePerUser = await Server.start({ ORDERCAST_CONNECTIONS_PER_USER: '1' });
const servers = [server, shortLived, full, onePerUser];
after(() => Promise.all(servers.map((each) => each.stop())));
const projects = new Map();
for (const each of servers) projects.set(each, await Project.create(each));
// The one place of this address, for as long as the server runs.
const place = { body: { data: projects.get(full).buyer().connectData() } };
await RawStream.open({ after: () => {} }, full, '/connection/uni_http_stream', place);

/**
 * What befalls the connection. `pay`, `end` and `finish` take the order on its way meanwhile; `before`
 * comes before the game asks for a connection.
 */
const SCENARIOS = {
  'a full purchase': {
    play: async ({ check, finish }) => {
      await check.reached('new');
      await finish();
      const final = await check.ended();
      assert.deepEqual(check.heardBy('pushed'), ['new', 'paid', final]);
    },
  },

  'a network that is down at the connect': {
    before: ({ cable }) => cable.cut(),
    play: async ({ check, finish }) => {
      await finish();
      assert.equal(check.hasOpened, false);
    },
  },

  // 429: the address has as many as it may.
  'an upgrade that is refused': {
    at: full,
    play: async ({ check, finish }) => {
      await finish();
      assert.equal(check.hasOpened, false);
    },
  },

  // Error 111, which is temporary, and then 3013.
  'a connect that is refused, because the buyer has too many connections': {
    at: onePerUser,
    before: async ({ t, buyer, server }) => {
      const other = await RawSocket.open(t, server);
      other.text(JSON.stringify({ id: 1, connect: { data: buyer.connectData() } }));
      assert.ok(JSON.parse(await other.nthText(1)).connect);
    },
    play: async ({ check, finish }) => {
      await check.journal.until((entry) => entry.how === 'polled', 'poll');
      await finish();
      await check.ended();
      assert.deepEqual(check.heardBy('pushed'), []);
    },
  },

  'a socket that is reset': {
    play: async ({ check, cable, finish }) => {
      await check.reached('new');
      cable.cut();
      cable.mend();
      await finish();
    },
  },

  // What NAT does to a phone that sleeps: neither side is told.
  'a socket that dies in silence': {
    play: async ({ check, cable, finish }) => {
      await check.reached('new');
      cable.loseAnswers();
      await finish();
      check.hearsNothingFor(600);
    },
  },

  // What iOS does itself when the app resigns active: the whole purchase happens meanwhile.
  'a game in the background': {
    play: async ({ check, cable, server, finish, rules }) => {
      await check.reached('new');
      cable.hold();
      check.hearsNothingFor(600);
      await finish();
      cable.release(server);
      await check.ended();
      if (rules.reconnects) assert.deepEqual(check.heardBy('polled'), [], 'recovered');
    },
  },

  'the end of the five minutes': {
    at: shortLived,
    play: async ({ check, pay, finish, end, rules }) => {
      await check.reached('new');
      await pay();
      await check.reached('paid');
      // It ends by the server's clock. Whoever reconnects shows it so; the others poll.
      if (rules.reconnects) await check.opened(2);
      else await check.journal.until((entry) => entry.how === 'polled', 'poll');
      await end();
      await finish();
    },
  },

  'a server that drains, and its successor': {
    hasOwnServer: true,
    play: async ({ check, cable, server, finish }) => {
      await check.reached('new');
      // As a proxy does while it has no server; a poll that met a refused connection would end the
      // tracking in three of the SDKs, whatever the server does.
      cable.hold();
      await server.end('SIGTERM');
      await server.startAgain();
      cable.release(server);
      await finish();
    },
  },
};

describe('shop SDKs', { concurrency: 20 }, () => {
  for (const rules of SDKS) {
    for (const [name, scenario] of Object.entries(SCENARIOS)) {
      for (const final of ['done', 'canceled']) {
        const title = `${rules.Sdk.name}: ${name}, ${final} in the end`;
        test(title, (t) => play(t, rules, scenario, final));
      }
    }
  }
});

async function play(t, rules, { at = server, hasOwnServer, before, play }, final) {
  const world = { t, rules };
  world.server = hasOwnServer ? await Server.start() : at;
  if (hasOwnServer) t.after(() => world.server.stop());
  world.cable = await Cable.to(world.server);
  t.after(() => world.cable.close());
  const project = hasOwnServer ? await Project.create(world.server) : projects.get(at);
  const buyer = project.buyer();
  const bought = await buyer.buy();
  const order = bought.order_id;

  world.buyer = buyer;
  world.pay = async () => assert.equal((await buyer.pay(order)).state, 'applied');
  world.end = async () => {
    if (final === 'done') return buyer.done(order);
    const refund = await project.deliver(buyer.event('order_canceled', order));
    return assert.equal(refund.status, 200, refund.text);
  };
  // To the end from wherever it is.
  world.finish = async () => {
    const { status } = (await buyer.get(order)).json();
    if (status === 'new') await world.pay();
    if (status === 'new' || status === 'paid') await world.end();
  };
  await before?.(world);
  // A drained server takes the polls with it; all else befalls the connection alone.
  const pollAt = hasOwnServer ? world.cable : world.server;
  world.check = OrderCheck.start(t, rules, { buyer, bought, socketAt: world.cable, pollAt });
  await play(world);
  assert.equal(await world.check.ended(), final);
  const { statuses } = world.check;
  assert.deepEqual(statuses, WAY.filter((status) => statuses.includes(status)), 'in order, each once');
}
