// Every shop SDK through everything that may happen to its connection: at the end it knows how its
// order ended, `done` or `canceled`, and has seen no status out of order.

import assert from 'node:assert/strict';
import { after, describe } from 'node:test';
import { Cable } from '../lib/cable.js';
import { test } from '../lib/case.js';
import { Project } from '../lib/project.js';
import { Server } from '../lib/server.js';
import { OrderCheck, SDKS } from '../models/order-check.js';

const WAY = ['new', 'paid', 'done', 'canceled'];
const LIFE_SECONDS = 10;

const server = await Server.start({ ORDERCAST_CONNECTION_LIFETIME_SECONDS: `${LIFE_SECONDS}` });
after(() => server.stop());
const project = await Project.create(server);

/** What befalls the connection. `pay`, `end` and `finish` take the order on its way meanwhile. */
const SCENARIOS = {
  'a full purchase': async ({ check, finish }) => {
    await check.reached('new');
    await finish();
  },

  'a connect that fails': async ({ check, finish }) => {
    await finish();
    assert.equal(check.journal.entries.some((entry) => entry.opened), false);
  },

  'a socket that is reset': async ({ check, cable, finish }) => {
    await check.reached('new');
    cable.cut();
    cable.mend();
    await finish();
  },

  // What NAT does to a phone that sleeps: neither side is told.
  'a socket that dies in silence': async ({ check, cable, finish }) => {
    await check.reached('new');
    cable.loseAnswers();
    await finish();
    check.hearsNothingFor(600);
  },

  'the end of the five minutes': async ({ check, pay, finish, end, rules }) => {
    await check.reached('new');
    await pay();
    await check.reached('paid');
    // It ends by the server's clock. Whoever reconnects shows it so; the others poll.
    if (rules.reconnects) await check.opened(2);
    else await check.journal.until((entry) => entry.how === 'polled', 'poll');
    await end();
    await finish();
  },

  'a server that drains, and its successor': async ({ check, cable, server, finish }) => {
    await check.reached('new');
    // As a proxy does while it has no server; a poll that met a refused connection would end the
    // tracking in three of the SDKs, whatever the server does.
    cable.hold();
    await server.end('SIGTERM');
    await server.startAgain();
    cable.release(server);
    await finish();
  },
};

describe('shop SDKs', { concurrency: 20 }, () => {
  for (const rules of SDKS) {
    for (const [name, scenario] of Object.entries(SCENARIOS)) {
      for (const final of ['done', 'canceled']) {
        const title = `${rules.Sdk.name}: ${name}, ${final} in the end`;
        test(title, (t) => play(t, rules, name, scenario, final));
      }
    }
  }
});

async function play(t, rules, name, scenario, final) {
  const drains = name.startsWith('a server that drains');
  const world = { rules };
  world.server = drains ? await Server.start() : server;
  if (drains) t.after(() => world.server.stop());
  world.cable = await Cable.to(world.server);
  t.after(() => world.cable.close());
  const buyer = (drains ? await Project.create(world.server) : project).buyer();
  const bought = await buyer.buy();
  const order = bought.order_id;

  world.pay = async () => assert.equal((await buyer.pay(order)).state, 'applied');
  world.end = async () => {
    if (final === 'done') return buyer.done(order);
    const refund = await buyer.project.deliver(buyer.event('order_canceled', order));
    return assert.equal(refund.status, 200, refund.text);
  };
  // To the end from wherever it is.
  world.finish = async () => {
    const { status } = (await buyer.get(order)).json();
    if (status === 'new') await world.pay();
    if (status === 'new' || status === 'paid') await world.end();
  };
  const fails = name === 'a connect that fails';
  if (fails) world.cable.cut();
  // A drained server takes the polls with it; all else befalls the connection alone.
  const pollAt = drains ? world.cable : world.server;
  world.check = OrderCheck.start(t, rules, { buyer, bought, socketAt: world.cable, pollAt });
  await scenario(world);
  assert.equal(await world.check.ended(), final);
  const { statuses } = world.check;
  assert.deepEqual(statuses, WAY.filter((status) => statuses.includes(status)), 'in order, each once');
}
