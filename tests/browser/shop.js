// The demo store as a test's hands and eyes: a page in headless Chromium against a running server.

import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';
import { Server } from './server.js';

const CHROMIUM = process.env.CHROMIUM_BIN ?? '/usr/bin/chromium';
const STEP_MS_MAX = 15_000;

// Runs `work(shop)` with a fresh page; what the server logged is shown when it fails.
export async function withShop({ server, browser }, work, options = {}) {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 800 },
    ...options,
  });
  context.setDefaultTimeout(STEP_MS_MAX);
  const shop = new Shop(server, await context.newPage());
  try {
    await shop.open();
    await work(shop);
    assert.deepEqual(shop.complaints, [], 'the browser complained');
  } catch (error) {
    const seen = await shop.timeline().catch(() => 'none');
    console.error(`timeline: ${JSON.stringify(seen)}\ncomplaints: ${shop.complaints.join('\n')}`);
    console.error(`server log:\n${server.log}`);
    throw error;
  } finally {
    await context.close();
  }
}

export async function launch() {
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  });
  try {
    return { browser, server: await Server.start() };
  } catch (error) {
    await browser.close();
    throw error;
  }
}

export async function quit({ server, browser } = {}) {
  await browser?.close();
  await server?.stop();
}

export class Shop {
  constructor(server, page) {
    this.server = server;
    this.page = page;
    this.complaints = [];
    page.on('pageerror', (error) => this.complaints.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error') this.complaints.push(message.text());
    });
  }

  async open(user = 'alice') {
    await this.page.goto(`${this.server.url}/demo/`);
    await this.page.getByLabel('Test buyer').fill(user);
    await this.page.getByRole('button', { name: 'Sign in' }).click();
    await this.page.getByRole('button', { name: 'Signed in' }).waitFor();
  }

  // Until the order is there and the page watches it.
  async buy(item = 'Ember Lantern', connection = 'connected') {
    const before = await this.page.locator('#about').textContent();
    await this.page.getByRole('button', { name: `Buy ${item}` }).click();
    await this.page.locator('#about', { hasNotText: before }).waitFor();
    await this.status('new');
    await this.connection(connection);
    await this.button('Pay').waitFor();
  }

  // A button of the payment page.
  button(name) {
    return this.page
      .frameLocator('#checkout-frame')
      .getByRole('button', { name, exact: true });
  }

  async press(name) {
    await this.button(name).click();
  }

  // Until the timeline has the status.
  async status(status) {
    await this.page.locator(`#timeline li[data-status=${status}]`).first().waitFor();
    return this;
  }

  async connection(state) {
    await this.page.locator(`#connection[data-state=${state}]`).waitFor();
  }

  // All that the page has shown, as 'paid pushed'.
  async timeline() {
    return this.page
      .locator('#timeline li')
      .evaluateAll((rows) => rows.map((row) => `${row.dataset.status} ${row.dataset.how}`));
  }

  async statuses() {
    return (await this.timeline()).map((row) => row.split(' ')[0]);
  }

  // The webhooks that the payment page lists, as 'order_paid 200 applied'.
  webhooks() {
    return this.page.frameLocator('#checkout-frame').locator('#sent li');
  }

  async webhookAnswers() {
    return this.webhooks().evaluateAll((rows) =>
      rows.map((row) => {
        const [kind, answer] = ['b', '.answer'].map((part) => row.querySelector(part));
        return `${kind.textContent} ${answer.textContent}`;
      }));
  }

  // What the payment page posts, without its page.
  async payment() {
    const pay = new URL(await this.page.locator('#checkout-tab').evaluate((link) => link.href));
    return {
      token: pay.searchParams.get('token'),
      order_id: Number(pay.searchParams.get('order_id')),
    };
  }

  async pay(payment, action = 'pay') {
    return fetch(`${this.server.url}/demo/provider`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ ...payment, action }),
    });
  }
}
