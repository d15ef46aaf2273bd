// Official SDK over the server's own TLS: every transport and encoding connects, follows an order, and
// comes back whole after a cut network and a killed server.

import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { Cable } from '../lib/cable.js';
import { Project } from '../lib/project.js';
import { FALLBACKS, MODES, Tracker } from '../lib/sdk.js';
import { Server } from '../lib/server.js';
import { test } from '../lib/case.js';

const folder = resolve(import.meta.dirname, '../.tls');
const TLS = {
  ORDERCAST_TLS_CERTIFICATE: `${folder}/tls.crt`,
  ORDERCAST_TLS_KEY: `${folder}/tls.key`,
};

const TRANSPORTS = [...MODES.map((mode) => [undefined, mode]), ...FALLBACKS];

for (const [transport, mode] of TRANSPORTS) {
  test(`${transport ?? 'websocket'}, ${mode}: the way of an order over TLS`, async (t) => {
    const server = await Server.start(TLS);
    t.after(() => server.stop());
    const cable = await Cable.to(server);
    t.after(() => cable.close());
    const buyer = (await Project.create(server)).buyer();
    const order = await buyer.order();
    const tracker = Tracker.connect(t, cable, mode, buyer.connectData(), { transport });
    await tracker.publications(1);
    const { streamPosition } = await tracker.subscribed();

    cable.cut();
    await tracker.event('connecting', 2);
    await buyer.pay(order);
    cable.mend();
    await tracker.subscribed(2);

    cable.loseAnswers();
    await buyer.done(order);
    await server.end('SIGKILL');
    await tracker.event('connecting', 3);
    await server.startAgain();
    const again = await tracker.subscribed(3);
    assert.equal(again.recovered, true);
    assert.equal(again.streamPosition.epoch, streamPosition.epoch);
    const expected = ['new', 'paid', 'done'].map((status, at) => [at + 1, order, status]);
    assert.deepEqual(await tracker.publications(3), expected);
    await tracker.fence();
    assert.deepEqual(tracker.seen(), expected);
  });
}
