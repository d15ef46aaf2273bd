// The page of a pretend payment provider: shows what to pay, tells the provider what was pressed,
// lists the webhooks that it sent and how they were answered.

import { clock, element } from './order-panel.js';

const REFRESH_EVERY_MS = 1_000;
const REFRESH_TIMES = 12;
const WATCHED_WITHIN_MS = 400;

const byId = (id) => document.getElementById(id);
const query = new URLSearchParams(location.search);
const token = query.get('token') ?? '';
const orderId = Number(query.get('order_id'));
const tell = new BroadcastChannel('ordercast-demo');

let refreshes = 0;

async function call(path, body) {
  const headers = { Authorization: `Bearer ${token}` };
  if (body) headers['Content-Type'] = 'application/json';
  const method = body ? 'POST' : 'GET';
  const response = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.title ?? answer.errorMessage ?? response.statusText);
  return answer;
}

async function showOrder() {
  const { project_id, items } = await call('/demo/items');
  const order = await call(`/api/v2/project/${project_id}/order/${orderId}`);
  const { price, items: bought } = order.content;
  const names = bought.map(({ sku }) => items.find((item) => item.sku === sku)?.name ?? sku);
  byId('total').textContent = price ? `${price.amount} ${price.currency}` : 'free';
  byId('what').textContent = `${names.join(', ')} · order ${orderId}`;
  show(await call(`/demo/provider?order_id=${orderId}`));
}

function show({ status, deliveries, note }) {
  const isNew = status === 'new';
  const isPaid = status === 'paid' || status === 'done';
  const allowed = { pay: isNew, decline: isNew, refund: isPaid, late: isNew };
  for (const button of byId('actions').querySelectorAll('button')) {
    button.disabled = !(allowed[button.value] ?? true);
  }
  if (note) byId('note').textContent = note;
  else if (deliveries.length > 0 && byId('sent').childElementCount === 0) byId('note').textContent = '';
  byId('sent').replaceChildren(...deliveries.map(delivery));
}

function delivery({ kind, sent_at, answered, answer }) {
  const row = element('li');
  const state = answer?.duplicate ? 'duplicate' : (answer?.state ?? answer?.code ?? '');
  const text = answered ? `${answered} ${state}` : (answer?.reason ?? 'on its way');
  row.append(clock(Date.parse(sent_at)), element('b', '', kind), element('span', 'answer', text));
  if (answered && state !== 'applied' && answer?.reason) {
    row.append(element('span', 'reason', answer.reason));
  }
  return row;
}

// Answers of late webhooks, and `done`, come after the press.
async function refresh() {
  refreshes -= 1;
  try {
    const seen = await call(`/demo/provider?order_id=${orderId}`);
    show(seen);
    tell.postMessage({ order_id: orderId });
    const isSettled = seen.deliveries.every(({ answered }) => answered) && seen.status !== 'paid';
    if (isSettled) refreshes = 0;
  } catch {
    // The server may be restarting.
  }
  if (refreshes > 0) setTimeout(refresh, REFRESH_EVERY_MS);
}

byId('actions').addEventListener('submit', async (event) => {
  event.preventDefault();
  const action = event.submitter?.value;
  if (!action) return;
  for (const button of byId('actions').querySelectorAll('button')) button.disabled = true;
  await storeWatches(action);
  try {
    const mode = byId('separate').checked ? 'separate' : 'combined';
    show(await call('/demo/provider', { token, order_id: orderId, action, mode }));
    tell.postMessage({ order_id: orderId });
  } catch (error) {
    show(await call(`/demo/provider?order_id=${orderId}`).catch(() => ({ deliveries: [] })));
    byId('note').textContent = `That did not work: ${error.message}.`;
  }
  const isIdle = refreshes <= 0;
  refreshes = REFRESH_TIMES;
  if (isIdle) setTimeout(refresh, REFRESH_EVERY_MS);
});

// Tells the store's page what is coming; a page that no longer watches the order begins again.
function storeWatches(action) {
  return new Promise((resolve) => {
    tell.onmessage = ({ data }) => data.order_id === orderId && data.is_watched && resolve();
    setTimeout(resolve, WATCHED_WITHIN_MS); // there may be no such page
    tell.postMessage({ order_id: orderId, action });
  });
}

if (parent !== window) {
  // The store gives the frame the height that this page needs.
  const main = document.querySelector('main');
  new ResizeObserver(() => {
    parent.postMessage({ height: main.getBoundingClientRect().height }, location.origin);
  }).observe(main);
}

showOrder().catch((error) => {
  byId('note').textContent = `This payment cannot be shown: ${error.message}.`;
  for (const button of byId('actions').querySelectorAll('button')) button.disabled = true;
});
