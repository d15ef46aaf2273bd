// What a buyer sees in the demo store, in a real browser against the real binary.

import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { launch, quit, withShop } from './shop.js';

const IMAGES = resolve(import.meta.dirname, '../../docs/images');

let world;
before(async () => (world = await launch()));
after(async () => quit(world));

const check = (name, work, options) => test(name, () => withShop(world, work, options));

// Pictures for the documents, only when asked for.
async function picture(shop, name) {
  if (process.env.UPDATE_SCREENSHOTS !== '1') return;
  await mkdir(IMAGES, { recursive: true });
  await shop.page.evaluate(() => document.fonts.ready);
  const path = join(IMAGES, `demo-${name}.png`);
  await shop.page.screenshot({ path, animations: 'disabled' });
}

const crisp = { viewport: { width: 1280, height: 800 }, deviceScaleFactor: 1.5 };

check('an order goes new, paid, done before the buyer’s eyes', async (shop) => {
  await shop.buy('Ember Lantern');
  await picture(shop, 'new');
  await shop.press('Pay');
  await shop.status('paid');
  await picture(shop, 'paid');
  await shop.status('done');
  await shop.connection('closed'); // nothing follows: the page ends its connection
  assert.equal(await shop.page.locator('#status').textContent(), 'done');
  assert.deepEqual(await shop.timeline(), ['new history', 'paid pushed', 'done pushed']);
  await picture(shop, 'done');
}, crisp);

check('a cut connection recovers what it missed, once', async (shop) => {
  await shop.buy('Centaur’s Axe');
  await shop.page.getByRole('button', { name: 'Cut my connection' }).click();
  await shop.connection('reconnecting');
  await shop.press('Pay');
  await shop.webhooks().filter({ hasText: '200 applied' }).waitFor();
  assert.deepEqual(await shop.timeline(), ['new history'], 'it came in spite of the cut');
  await shop.status('done');
  await shop.connection('closed');
  const timeline = await shop.timeline();
  assert.deepEqual(timeline.map((row) => row.split(' ')[0]), ['new', 'paid', 'done']);
  assert.equal(timeline[1], 'paid recovered');
  await picture(shop, 'recovered');
}, crisp);

check('a page whose WebSocket is blocked polls', async (shop) => {
  await shop.page.getByRole('button', { name: 'Buy Wayfinder' }).waitFor();
  await shop.page.getByLabel('Block WebSocket').evaluate((input) => input.click());
  await shop.buy('Wayfinder', 'polling');
  await shop.press('Pay');
  await shop.status('done');
  await shop.connection('closed');
  const timeline = await shop.timeline();
  assert.ok(timeline.every((row) => row.endsWith(' polled')), timeline);
  // A poll sees where the order is, not the way there.
  const way = ['new polled', 'paid polled', 'done polled'];
  assert.deepEqual(timeline, way.filter((row) => timeline.includes(row)));
});

check('polling ends when the connection comes back', async (shop) => {
  await shop.page.getByLabel('Block WebSocket').evaluate((input) => input.click());
  await shop.buy('Second Wind', 'polling');
  await shop.page.getByLabel('Block WebSocket').uncheck();
  await shop.connection('connected');
  await shop.press('Pay');
  await shop.status('done');
  assert.deepEqual(await shop.timeline(), ['new polled', 'paid pushed', 'done pushed']);
});

check('a refund after done is shown, and all of it again after a reload', async (shop) => {
  await shop.buy();
  await shop.press('Pay');
  await shop.status('done');
  await shop.connection('closed');
  await shop.press('Refund');
  await shop.status('canceled');
  await shop.connection('closed');
  const way = ['new', 'paid', 'done', 'canceled'];
  assert.deepEqual(await shop.statuses(), way);
  await shop.page.reload();
  await shop.status('canceled');
  await shop.connection('closed');
  assert.deepEqual(await shop.timeline(), way.map((status) => `${status} history`));
});

check('a webhook that comes three times pays once', async (shop) => {
  await shop.buy();
  await shop.press('Twice');
  await shop.status('done');
  await shop.connection('closed');
  assert.deepEqual(await shop.statuses(), ['new', 'paid', 'done']);
  const answers = (await shop.webhookAnswers()).sort();
  assert.deepEqual(answers, [
    'order_paid 200 applied',
    'order_paid 200 duplicate',
    'order_paid 200 duplicate',
  ]);
});

check('a refund told before its payment ends canceled, and the payment is recorded', async (shop) => {
  await shop.buy();
  await shop.press('Out of order');
  await shop.status('canceled');
  await shop.webhooks().nth(1).waitFor();
  assert.deepEqual(await shop.webhookAnswers(), [
    'order_canceled 200 applied',
    'order_paid 200 applied',
  ]);
  const record = shop.page.locator('#inbox li', { hasText: 'order_paid' });
  await record.waitFor({ state: 'attached' });
  assert.match(await record.textContent(), /recorded, the order stays canceled/);
  assert.deepEqual(await shop.statuses(), ['new', 'canceled']);
});

check('a late webhook is shown when it comes', async (shop) => {
  await shop.buy();
  await shop.press('Late');
  await shop.webhooks().filter({ hasText: 'on its way' }).waitFor();
  assert.deepEqual(await shop.statuses(), ['new']);
  await shop.status('done');
  assert.deepEqual(await shop.timeline(), ['new history', 'paid pushed', 'done pushed']);
  await shop.webhooks().filter({ hasText: '200 applied' }).waitFor();
});

check('a declined payment leaves the order new', async (shop) => {
  await shop.buy();
  await shop.press('Decline');
  const note = shop.page.frameLocator('#checkout-frame').getByText('the order stays new');
  await note.waitFor();
  await shop.press('Pay'); // the buyer tries another card
  await shop.status('done');
  assert.deepEqual(await shop.statuses(), ['new', 'paid', 'done']);
});

check('billing in separate webhooks moves the order once', async (shop) => {
  await shop.buy();
  const frame = shop.page.frameLocator('#checkout-frame');
  await frame.getByLabel('Billing in separate webhooks').check();
  await shop.press('Pay');
  await shop.status('done');
  await shop.press('Refund');
  await shop.status('canceled');
  await shop.webhooks().nth(3).waitFor();
  const kinds = (await shop.webhookAnswers()).map((row) => row.split(' ').slice(0, 2).join(' '));
  assert.deepEqual(kinds, [
    'payment 200',
    'order_paid 200',
    'refund 200',
    'order_canceled 200',
  ]);
  assert.deepEqual(await shop.statuses(), ['new', 'paid', 'done', 'canceled']);
});

check('by keyboard, on a narrow screen, without a sideways scroll', async (shop) => {
  const { page } = shop;
  const isWide = () => page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
  assert.equal(await isWide(), false);
  await page.getByRole('button', { name: 'Buy Centaur’s Axe' }).focus();
  await page.keyboard.press('Enter');
  await shop.status('new');
  await shop.button('Pay').focus();
  await page.keyboard.press('Enter');
  await shop.status('done');
  await shop.button('Refund').focus();
  await page.keyboard.press('Enter');
  await shop.status('canceled');
  assert.equal(await isWide(), false);
}, { viewport: { width: 320, height: 640 } });

check('an order is for its buyer only', async (shop) => {
  await shop.buy();
  const { order_id } = await shop.payment();
  const { url } = shop.server;
  const post = (path, body) => fetch(url + path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  const mallory = await (await post('/demo/sign-in', { user: 'mallory' })).json();
  const headers = { Authorization: `Bearer ${mallory.token}` };
  const answers = [
    fetch(`${url}/demo/orders/${order_id}`, { headers }),
    fetch(`${url}/demo/orders/${order_id}`),
    fetch(`${url}/demo/provider?order_id=${order_id}`, { headers }),
    post('/demo/provider', { token: 'guessed', order_id, action: 'pay' }),
    post('/demo/provider', { token: mallory.token, order_id, action: 'pay' }),
    post('/demo/provider', { token: 'a b\n', order_id, action: 'pay' }),
    post('/demo/provider', { order_id, action: 'pay' }),
    post('/demo/provider', { token: 'x', order_id: -1, action: 'pay' }),
    post('/demo/sign-in', { user: ' ' }),
    fetch(`${url}/demo/assets/../../Cargo.toml`),
    fetch(`${url}/demo/assets/%2e%2e/%2e%2e/Cargo.toml`),
  ];
  const got = (await Promise.all(answers)).map(({ status }) => status);
  assert.deepEqual(got, [404, 404, 404, 404, 404, 404, 400, 400, 400, 404, 404]);
  assert.deepEqual(await shop.statuses(), ['new']);
});
