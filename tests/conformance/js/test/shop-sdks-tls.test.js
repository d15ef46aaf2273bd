// The shop SDKs over the server's own TLS: they were made for an endpoint that begins with wss://, and
// one of them knows TLS 1.2 only.

import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { after } from 'node:test';
import { test } from '../lib/case.js';
import { Project } from '../lib/project.js';
import { Server } from '../lib/server.js';
import { OrderCheck, SDKS } from '../models/order-check.js';

const folder = resolve(import.meta.dirname, '../.tls');
const server = await Server.start({
  ORDERCAST_TLS_CERTIFICATE: `${folder}/tls.crt`,
  ORDERCAST_TLS_KEY: `${folder}/tls.key`,
});
after(() => server.stop());
const project = await Project.create(server);

for (const rules of SDKS) {
  const { Sdk } = rules;
  const version = Sdk.tlsVersion ?? 'TLSv1.3';

  test(`${Sdk.name}: a purchase over ${version}`, async (t) => {
    const buyer = project.buyer();
    const client = await Sdk.open(t, server, { auth: buyer.token(), project });
    assert.equal(client.socket.tlsVersion, version);

    const bought = await buyer.buy();
    const check = OrderCheck.start(t, rules, { buyer, bought, socketAt: server, pollAt: server });
    await check.reached('new');
    await buyer.pay(bought.order_id);
    await buyer.done(bought.order_id);
    assert.equal(await check.ended(), 'done');
    assert.deepEqual(check.heardBy('pushed'), ['new', 'paid', 'done']);
  });
}
