// What every shop SDK in the field does with every order: a purchase, a refused connect, a network
// that dies. What only one of them does stands in a file of its own.

import assert from 'node:assert/strict';
import { after } from 'node:test';
import { Cable } from '../lib/cable.js';
import { hs256, claims, now } from '../lib/jwt.js';
import { Project } from '../lib/project.js';
import { Server } from '../lib/server.js';
import { test } from '../lib/case.js';
import { Cocos } from '../models/cocos.js';
import { Android, Ios } from '../models/mobile.js';
import { Unity } from '../models/unity.js';
import { Unreal } from '../models/unreal.js';

const server = await Server.start();
after(() => server.stop());
const project = await Project.create(server);

// Which credential opens the connection, and which one polls.
const SDKS = [
  { Sdk: Unity, opens: 'jwt', polls: 'jwt' },
  { Sdk: Unreal, opens: 'payment token', polls: 'payment token' },
  { Sdk: Cocos, opens: 'jwt', polls: 'payment token' },
  { Sdk: Android, opens: 'jwt', polls: 'jwt' },
  { Sdk: Ios, opens: 'jwt', polls: 'jwt' },
];

for (const { Sdk, opens, polls } of SDKS) {
  const credentials = (buyer, token) => {
    const choose = (which) => (which === 'jwt' ? buyer.token() : token);
    return { auth: choose(opens), poll: choose(polls) };
  };

  test(`${Sdk.name}: a purchase goes new, paid, done, and get order agrees`, async (t) => {
    const buyer = project.buyer();
    const { order_id: order, token } = await buyer.buy();
    const { auth, poll } = credentials(buyer, token);
    const client = await Sdk.open(t, server, { auth, project });
    await client.reached(order, 'new');
    assert.equal((await buyer.pay(order)).state, 'applied');
    await client.reached(order, 'paid');
    assert.equal((await buyer.get(order, poll)).json().status, 'paid');
    await buyer.done(order);
    await client.reached(order, 'done');
    assert.equal((await buyer.get(order, poll)).json().status, 'done', 'a poll agrees with a push');
    assert.deepEqual(client.statuses(order), ['new', 'paid', 'done']);
    assert.deepEqual(client.losses, []);
  });

  test(`${Sdk.name}: a refund reaches it as canceled`, async (t) => {
    const buyer = project.buyer();
    const { order_id: order, token } = await buyer.buy();
    const client = await Sdk.open(t, server, { auth: credentials(buyer, token).auth, project });
    await buyer.pay(order);
    const refund = await project.deliver(buyer.event('order_canceled', order));
    assert.equal(refund.status, 200, refund.text);
    await client.reached(order, 'canceled');
    assert.deepEqual(client.statuses(order), ['new', 'paid', 'canceled']);
    assert.deepEqual(client.losses, []);
  });

  test(`${Sdk.name}: a refused connect is answered 109, closed with 3500, never left open`, async (t) => {
    const buyer = project.buyer();
    const bad = {
      'a bad signature': hs256('another secret of enough bytes, 32', claims(buyer.user)),
      'an expired token': buyer.token({ exp: now() - 60 }),
      'an unknown payment token': 'B'.repeat(32),
      'no token': '',
    };
    for (const [name, auth] of Object.entries(bad)) {
      const client = await Sdk.open(t, server, { auth, project, id: 7 });
      await client.polls();
      const { code, reason } = await client.socket.closed();
      assert.equal(code, 3500, name);
      assert.notEqual(reason, '', name);
      assert.deepEqual(refusal(client), { code: 109, message: 'token expired' }, name);
    }
  });

  test(`${Sdk.name}: after the network died, polling finds what was missed`, async (t) => {
    const cable = await Cable.to(server);
    t.after(() => cable.close());
    const buyer = project.buyer();
    const { order_id: order, token } = await buyer.buy();
    const { auth, poll } = credentials(buyer, token);
    const client = await Sdk.open(t, cable, { auth, project });
    await client.reached(order, 'new');
    cable.cut();
    await client.polls();
    await buyer.pay(order);
    await buyer.done(order);
    const polled = await buyer.get(order, poll);
    assert.equal(polled.status, 200);
    assert.equal(polled.json().status, 'done');
    assert.deepEqual(client.statuses(order), ['new']);
  });
}

/** The error reply, in whichever encoding; there is nothing else before the close. */
function refusal({ socket, journal }) {
  const refused = journal.entries.find((entry) => entry.refused)?.refused;
  if (refused) return { code: refused.code, message: refused.message };
  assert.equal(socket.texts.length, 1);
  const { id, error } = JSON.parse(socket.texts[0]);
  assert.equal(id, 7);
  return { code: error.code, message: error.message };
}
