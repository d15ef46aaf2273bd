// The demo store: sign in, buy, pay in a frame, watch the order. The watching is in tracker.js.

import { block, cut, DemoSocket } from './socket.js';
import * as panel from './order-panel.js';
import { trackOrder } from './tracker.js';

const CUT_MS = 2_000;
const TOKEN_GOOD_FOR_MS = 30 * 60_000;
const REMEMBERED = 'ordercast-demo';

const byId = (id) => document.getElementById(id);
const url = new URL('/connection/websocket', location.href);
url.protocol = url.protocol.replace('http', 'ws');

const payment = new BroadcastChannel('ordercast-demo');

let shelf = [];
let buyer = null; // { token, user_external_id, project_id, at }
let order = null; // { id, token, sku }
let status = null;
let stop = null; // ends the tracking that is going on

// What survives a reload.
const remembered = () => {
  try {
    return JSON.parse(localStorage.getItem(REMEMBERED)) ?? {};
  } catch {
    return {};
  }
};
const remember = () => {
  try {
    localStorage.setItem(REMEMBERED, JSON.stringify({ user: buyer.user_external_id, order }));
  } catch {
    // Storage is off: then nothing survives.
  }
};

async function call(path, { body, token } = {}) {
  const headers = {};
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body) headers['Content-Type'] = 'application/json';
  const method = body ? 'POST' : 'GET';
  const response = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.title ?? answer.errorMessage ?? response.statusText);
  return answer;
}

async function signIn(user) {
  buyer = { ...(await call('/demo/sign-in', { body: { user } })), at: Date.now() };
  byId('user').value = buyer.user_external_id;
  showSignedIn();
}

function showSignedIn() {
  const button = byId('sign-in').querySelector('button');
  button.disabled = byId('user').value.trim() === buyer?.user_external_id;
  button.textContent = button.disabled ? 'Signed in' : 'Sign in';
}

// A page may stay open longer than its buyer's token lives.
const isStale = () => Date.now() - buyer.at > TOKEN_GOOD_FOR_MS;

async function freshBuyer() {
  if (!buyer) await signIn(byId('user').value);
  else if (isStale()) await signIn(buyer.user_external_id);
  return buyer;
}

async function buy(sku) {
  const { token, project_id } = await freshBuyer();
  const path = `/api/v2/project/${project_id}/payment/item/${sku}`;
  const bought = await call(path, { body: { quantity: 1, sandbox: true }, token });
  order = { id: bought.order_id, token: bought.token, sku };
  remember();
  await openOrder();
  const [top, block] = innerWidth < 900 ? ['order', 'start'] : ['checkout-bar', 'nearest'];
  byId(top).scrollIntoView({ block, behavior: 'smooth' });
}

async function openOrder() {
  const item = shelf.find(({ sku }) => sku === order.sku);
  const what = item ? ` · ${item.name} · ${item.amount} ${item.currency}` : '';
  status = null;
  panel.reset(`Order ${order.id}${what}`, item ? artOf(item.sku) : null);
  openCheckout();
  await track();
}

function openCheckout() {
  const pay = `/demo/pay?token=${encodeURIComponent(order.token)}&order_id=${order.id}`;
  byId('checkout').hidden = false;
  byId('checkout-tab').href = pay;
  // Replaced, so that Back leaves the store instead of walking through payments.
  byId('checkout-frame').contentWindow.location.replace(pay);
}

async function track() {
  const { token, user_external_id, project_id } = await freshBuyer();
  const tracked = order.id;
  stop?.();
  stop = trackOrder({
    url: url.href,
    apiBase: '/api/v2',
    projectId: project_id,
    userExternalId: user_external_id,
    auth: token,
    orderId: tracked,
    known: status,
    onStatus(next, how) {
      status = next;
      panel.addStatus(next, how);
      showRecord();
    },
    onState(state) {
      if (tracked !== order?.id) return;
      panel.showState(state);
      if (state === 'connected') sayWatching();
      if (state === 'closed') {
        stop = null;
      } else if (state === 'failed' && isStale()) {
        pressed(track)();
      } else if (state === 'failed') {
        forget('That order is not known here any more.');
      }
    },
    options: {
      websocket: DemoSocket,
      // Quick, to be watched. In a shop leave the defaults, or all pages come back at once.
      minReconnectDelay: 200,
      maxReconnectDelay: 500,
    },
  });
}

function forget(why) {
  order = null;
  stop?.();
  stop = null;
  byId('checkout').hidden = true;
  panel.clear(why);
  remember();
}

async function showRecord() {
  const asked = order;
  try {
    const record = await call(`/demo/orders/${asked.id}`, { token: buyer.token });
    if (asked === order) panel.showRecord(record);
  } catch {
    // The record is an extra: without a server there is none.
  }
}

// Runs what a press asks for; says so when it fails.
const pressed = (action) => async (event) => {
  event?.preventDefault();
  byId('problem').textContent = '';
  try {
    await action(event);
  } catch (error) {
    byId('problem').textContent = `That did not work: ${error.message}`;
  }
};

const artOf = (sku) => `/demo/assets/art/${encodeURIComponent(sku)}.svg`;

function showShelf() {
  byId('shelf').replaceChildren(
    ...shelf.map(({ sku, name, amount, currency }) => {
      const card = document.createElement('li');
      const picture = new Image(320, 240);
      picture.src = artOf(sku);
      picture.alt = '';
      const button = panel.element('button', 'primary', 'Buy');
      button.setAttribute('aria-label', `Buy ${name}`);
      button.addEventListener('click', pressed(() => buy(sku)));
      const about = panel.element('div', 'about-item');
      about.append(
        panel.element('h3', '', name),
        panel.element('p', '', `${amount} ${currency}`),
        button,
      );
      card.append(picture, about);
      return card;
    }),
  );
}

byId('sign-in').addEventListener('submit', pressed(async () => {
  const user = byId('user').value.trim();
  if (user === buyer?.user_external_id) return;
  await signIn(user);
  forget(`Signed in as ${buyer.user_external_id}.`);
}));

byId('user').addEventListener('input', showSignedIn);

byId('cut').addEventListener('click', () => {
  cut(CUT_MS);
  byId('cut').disabled = true;
  setTimeout(() => (byId('cut').disabled = false), CUT_MS);
});

byId('block').addEventListener('change', ({ target }) => block(target.checked));
byId('again').addEventListener('click', pressed(track));
byId('record').addEventListener('toggle', ({ target }) => target.open && order && showRecord());

// The payment page, in its frame or in a tab, says what is pressed there, and waits a moment for this
// page to watch: an order that was done may change once more.
payment.addEventListener('message', ({ data }) => {
  if (data.order_id !== order?.id) return;
  if (!data.action) showRecord();
  else if (stop === null && status !== 'canceled') pressed(track)();
  else sayWatching();
});

function sayWatching() {
  payment.postMessage({ order_id: order.id, is_watched: true });
}

addEventListener('message', ({ origin, source, data }) => {
  const frame = byId('checkout-frame');
  if (origin !== location.origin || source !== frame.contentWindow) return;
  if (Number.isFinite(data?.height)) frame.style.height = `${Math.ceil(data.height)}px`;
});

pressed(async () => {
  byId('block').checked = false;
  const { user, order: kept } = remembered();
  if (user) byId('user').value = user;
  const [{ items }] = await Promise.all([call('/demo/items'), user && signIn(user)]);
  shelf = items;
  showShelf();
  if (buyer && kept) {
    order = kept;
    await openOrder();
  }
})();
