// Official SDK: history of the personal channel, every row of the protocol's table.

import assert from 'node:assert/strict';
import { after } from 'node:test';
import { Project } from '../lib/project.js';
import { MODES, Tracker } from '../lib/sdk.js';
import { Server } from '../lib/server.js';
import { test } from '../lib/case.js';

const server = await Server.start();
after(() => server.stop());
const project = await Project.create(server);

/** A buyer whose channel holds offsets 1 to 5. */
async function withHistory() {
  const buyer = project.buyer();
  const [first, second] = [await buyer.order(), await buyer.order()];
  await buyer.pay(first);
  await buyer.done(first);
  await buyer.pay(second);
  const log = [
    [1, first, 'new'],
    [2, second, 'new'],
    [3, first, 'paid'],
    [4, first, 'done'],
    [5, second, 'paid'],
  ];
  return { buyer, log };
}

// Offsets that each request gives.
const TABLE = [
  ['the page that integrators copy', { limit: -1, since: { offset: 0 }, reverse: false }, [1, 2, 3, 4, 5]],
  ['no since, no limit: the position only', {}, []],
  ['no since, limit 0', { limit: 0 }, []],
  ['no since, limit -1', { limit: -1 }, [1, 2, 3, 4, 5]],
  ['no since, limit 2: the oldest', { limit: 2 }, [1, 2]],
  ['no since, limit above the top', { limit: 100 }, [1, 2, 3, 4, 5]],
  ['no since, reverse, limit -1', { limit: -1, reverse: true }, [5, 4, 3, 2, 1]],
  ['no since, reverse, limit 2: the newest', { limit: 2, reverse: true }, [5, 4]],
  ['since, limit 0', { limit: 0, since: { offset: 2 } }, []],
  ['since, limit -1', { limit: -1, since: { offset: 2 } }, [3, 4, 5]],
  ['since, limit 2', { limit: 2, since: { offset: 1 } }, [2, 3]],
  ['since the top', { limit: -1, since: { offset: 5 } }, []],
  ['since, reverse, limit -1', { limit: -1, since: { offset: 3 }, reverse: true }, [2, 1]],
  ['since, reverse, limit 1', { limit: 1, since: { offset: 5 }, reverse: true }, [4]],
];

for (const mode of MODES) {
  test(`${mode}: history gives what is asked, and always epoch and top`, async (t) => {
    const { buyer, log } = await withHistory();
    const tracker = Tracker.connect(t, server, mode, buyer.connectData());
    const { channel, streamPosition } = await tracker.subscribed();
    const { epoch } = streamPosition;
    for (const [name, options, offsets] of TABLE) {
      const expected = offsets.map((offset) => log[offset - 1]);
      const given = await tracker.history(channel, options);
      assert.deepEqual(given, { publications: expected, epoch, offset: 5 }, name);
      if (!options.since) continue;
      const named = { ...options, since: { ...options.since, epoch } };
      const again = await tracker.history(channel, named);
      assert.deepEqual(again.publications, expected, `${name}, with the epoch named`);
    }
  });

  test(`${mode}: a wrong epoch is 112, a foreign channel 103, reverse from 0 is 107`, async (t) => {
    const { buyer } = await withHistory();
    const stranger = project.buyer();
    await stranger.order();
    const foreign = Tracker.connect(t, server, mode, stranger.connectData());
    const foreignChannel = (await foreign.subscribed()).channel;
    const tracker = Tracker.connect(t, server, mode, buyer.connectData());
    const { channel } = await tracker.subscribed();
    const code = (name, options) =>
      tracker.history(name, options).then(() => 'granted', (error) => error.code);

    assert.notEqual(channel, foreignChannel);
    assert.equal(await code(channel, { limit: -1, since: { offset: 1, epoch: 'wrong' } }), 112);
    assert.equal(await code(foreignChannel, { limit: -1 }), 103);
    assert.equal(await code('news', { limit: -1 }), 103);
    assert.equal(await code(channel, { limit: -1, since: { offset: 0 }, reverse: true }), 107);
    assert.equal((await tracker.history(channel, { limit: -1 })).publications.length, 5);
  });

  test(`${mode}: a channel without publications has an epoch and the top 0`, async (t) => {
    const tracker = Tracker.connect(t, server, mode, project.buyer().connectData());
    const { channel, streamPosition } = await tracker.subscribed();
    const given = await tracker.history(channel, { limit: -1, since: { offset: 0 } });
    assert.deepEqual(given, { publications: [], epoch: streamPosition.epoch, offset: 0 });
  });
}
