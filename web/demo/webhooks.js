// The webhook catcher: shows what came, and sets how the next one is answered.

import { clock, element } from './order-panel.js';

const REFRESH_EVERY_MS = 500;
const HOW = {
  accept: '204: taken. Nothing of it is sent again.',
  flaky: '500 to every second one. It comes again, with the same id, before anything else of its order.',
  fail: '500 to all. They come again, ever more slowly; other orders do not wait.',
  hang: 'No answer at all. The server gives up after its time limit, and comes again.',
  gone: '410: the endpoint is disabled. Choose another answer to have it enabled.',
};

const byId = (id) => document.getElementById(id);
const opened = new Set();

async function call(path, body) {
  const request = body && {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  };
  const response = await fetch(path, request);
  if (!response.ok) throw new Error(`the demo answered ${response.status}`);
  return response.status === 204 ? null : response.json();
}

function show({ manner, webhooks_to, caught }) {
  for (const button of byId('manners').querySelectorAll('button')) {
    button.setAttribute('aria-pressed', String(button.value === manner));
  }
  byId('how').textContent = HOW[manner];
  const isOurs = new URL(webhooks_to).pathname === location.pathname;
  if (!isOurs) byId('about').textContent = `The demo’s webhooks go to ${webhooks_to}; none come here.`;
  byId('manners').hidden = !isOurs;
  byId('none').hidden = !isOurs || caught.length > 0;
  byId('caught').replaceChildren(...caught.map(row));
}

function row({ webhook_id, at, attempt, verified, answered, body }) {
  const key = `${webhook_id} ${attempt}`;
  const made = element('li');
  const details = element('details');
  const head = element('summary', 'head');
  const { type, data } = body ?? {};
  head.append(
    clock(Date.parse(at)),
    element('b', '', type ?? 'unknown'),
    element('span', '', data?.order_id ? `order ${data.order_id}` : ''),
    element('span', verified ? '' : 'bad', verified ? 'signature verified' : 'signature wrong'),
    element('span', answered === 204 ? 'answer' : 'answer bad', answered ? String(answered) : 'no answer'),
    element('span', 'meta', `${webhook_id}, attempt ${attempt}`),
  );
  details.open = opened.has(key);
  details.addEventListener('toggle', () => opened[details.open ? 'add' : 'delete'](key));
  details.append(head, element('pre', '', JSON.stringify(body, null, 2)));
  made.append(details);
  return made;
}

let shown = '';
async function refresh() {
  try {
    const answer = await call('/demo/webhooks/caught');
    const text = JSON.stringify(answer);
    // Whoever selects text in a body should not lose it.
    if (text !== shown) show(answer);
    shown = text;
    byId('problem').textContent = '';
  } catch (error) {
    byId('problem').textContent = `Cannot refresh: ${error.message}`;
  }
}

byId('manners').addEventListener('click', async ({ target }) => {
  if (!target.value) return;
  try {
    await call('/demo/webhooks/manner', { manner: target.value });
  } catch (error) {
    byId('problem').textContent = `Not changed: ${error.message}`;
  }
  await refresh();
});

await refresh();
setInterval(() => document.hidden || refresh(), REFRESH_EVERY_MS);
