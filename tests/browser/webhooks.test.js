// The webhook catcher beside the store: what a shop's backend is told, however it answers.

import { after, before, test } from 'node:test';
import { launch, quit, withShop } from './shop.js';

let world;
before(async () => (world = await launch()));
after(async () => quit(world));

const check = (name, work) => test(name, () => withShop(world, work));

async function catcher(shop) {
  const page = await shop.page.context().newPage();
  page.on('pageerror', (error) => shop.complaints.push(String(error)));
  await page.goto(`${shop.server.url}/demo/webhooks`);
  return {
    answer: async (name) => {
      await page.getByRole('button', { name, exact: true }).click();
      await page.getByRole('button', { name, exact: true, pressed: true }).waitFor();
    },
    seen: (...texts) =>
      texts
        .reduce((rows, hasText) => rows.filter({ hasText }), page.locator('#caught li'))
        .first()
        .waitFor(),
  };
}

check('webhooks are caught, verified, and come again until they are taken', async (shop) => {
  const { answer, seen } = await catcher(shop);
  await shop.buy();
  const order = `order ${(await shop.payment()).order_id}`;
  await seen('order.created', order, 'signature verified', '204');
  await answer('Fail');
  await shop.press('Pay');
  await seen('order.paid', order, 'attempt 2', '500');
  await answer('Accept');
  await seen('order.paid', order, '204');
  await seen('order.done', order, '204');
});

check('after 410 nothing comes until another answer is chosen', async (shop) => {
  const { answer, seen } = await catcher(shop);
  await answer('Gone');
  await shop.buy();
  const first = `order ${(await shop.payment()).order_id}`;
  await seen('order.created', first, '410');
  await answer('Accept');
  await shop.press('Pay');
  await seen('order.paid', first, '204');
});
