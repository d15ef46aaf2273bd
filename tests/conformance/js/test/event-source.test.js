// A browser's EventSource on the one-way events: it comes again by itself, with the position that it has
// and that its address cannot carry, and it stays away after a refusal.

import assert from 'node:assert/strict';
import { after } from 'node:test';
import { EventSource } from 'eventsource';
import { Cable } from '../lib/cable.js';
import { Journal } from '../lib/journal.js';
import { Project } from '../lib/project.js';
import { Server } from '../lib/server.js';
import { test } from '../lib/case.js';

const server = await Server.start();
after(() => server.stop());
const project = await Project.create(server);

/** Entries: {opened}, {id, ...push}, {failed: readyState}. */
function listen(t, at, request) {
  const journal = new Journal('EventSource');
  const query = `cf_connect=${encodeURIComponent(JSON.stringify(request))}`;
  const source = new EventSource(`http://${at.host}:${at.port}/connection/uni_sse?${query}`);
  t.after(() => source.close());
  source.onopen = () => journal.add({ opened: true });
  source.onmessage = ({ lastEventId, data }) => journal.add({ id: lastEventId, ...JSON.parse(data) });
  source.onerror = () => journal.add({ failed: source.readyState });
  return journal;
}

const statuses = (journal) =>
  journal.entries.filter((entry) => entry.pub).map(({ pub }) => [pub.offset, pub.data.status]);

test('what was missed comes once, in order, and nothing again', async (t) => {
  const cable = await Cable.to(server);
  t.after(() => cable.close());
  const buyer = project.buyer();
  const order = await buyer.order();
  const journal = listen(t, cable, { data: buyer.connectData() });
  await journal.until((entry) => entry.pub, 'publication');
  cable.cut();
  await journal.until((entry) => 'failed' in entry, 'end of the stream');
  await buyer.pay(order);
  cable.mend();
  await journal.until((entry) => entry.pub?.data.status === 'paid', 'status paid');
  await buyer.done(order);
  await journal.until((entry) => entry.pub?.data.status === 'done', 'status done');
  assert.deepEqual(statuses(journal), [[1, 'new'], [2, 'paid'], [3, 'done']]);
  const [first, second] = journal.entries.filter((entry) => entry.connect);
  const [{ epoch }] = Object.values(first.connect.subs);
  const [sub] = Object.values(second.connect.subs);
  assert.equal(sub.recovered, true);
  const ids = journal.entries.filter((entry) => entry.pub).map(({ id }) => id);
  assert.deepEqual(ids, [1, 2, 3].map((offset) => `${epoch}:${offset}`));
});

for (const [name, data] of Object.entries({
  'a bad credential': () => ({ ...project.buyer().connectData(), auth: 'nobody' }),
  'an expired token': () => {
    const buyer = project.buyer();
    return buyer.connectData({ auth: buyer.token({ exp: 1 }) });
  },
  'no credential': () => ({}),
})) {
  test(`${name} is a 401: it does not come again`, async (t) => {
    const journal = listen(t, server, { data: data() });
    const { failed } = await journal.until((entry) => 'failed' in entry, 'refusal');
    assert.equal(failed, EventSource.CLOSED);
    assert.equal(journal.entries.some((entry) => entry.opened), false);
  });
}
