// The order as the buyer sees it: the status, how it got there, how the page is connected.

const HINTS = {
  new: 'Waiting for the payment.',
  paid: 'Paid. The shop is packing the item.',
  done: 'It is in your inventory.',
  canceled: 'Nothing is owed.',
};

const HOWS = {
  pushed: 'Live, over the connection',
  recovered: 'Missed while the connection was gone, brought by the reconnect',
  history: 'Happened before this page was connected',
  polled: 'Asked for, because there was no connection',
};

const STATES = {
  connecting: 'connecting',
  connected: 'connected',
  reconnecting: 'reconnecting',
  polling: 'polling every 3 s',
  closed: 'closed',
};

const byId = (id) => document.getElementById(id);

let lastSeen = null;
let wasConnected = false;

export function reset(about, picture = null) {
  lastSeen = null;
  byId('picture').hidden = picture === null;
  if (picture !== null) byId('picture').src = picture;
  byId('order').dataset.status = 'none';
  byId('about').textContent = about;
  byId('status').textContent = '…';
  byId('hint').textContent = '';
  for (const id of ['timeline', 'versions', 'inbox']) byId(id).replaceChildren();
  byId('record').open = false;
  byId('live').hidden = false;
  showTrack(null);
}

export function clear(why) {
  reset('No order yet');
  byId('status').textContent = 'Buy something.';
  byId('hint').textContent = why;
  byId('live').hidden = true;
}

// A new status, the moment the page learns of it.
export function addStatus(status, how) {
  const now = performance.timeOrigin + performance.now();
  byId('order').dataset.status = status;
  byId('hint').textContent = HINTS[status] ?? '';
  showTrack(status);

  const word = byId('status');
  word.textContent = status;
  word.classList.remove('came');
  void word.offsetWidth; // restarts the animation
  word.classList.add('came');

  const row = element('li');
  row.dataset.status = status;
  row.dataset.how = how;
  const badge = element('span', 'badge', how);
  badge.dataset.how = how;
  badge.title = HOWS[how];
  const label = element('span', 'word', status);
  if (lastSeen !== null && how !== 'history') {
    label.append(element('span', 'after', `+${((now - lastSeen) / 1000).toFixed(3)} s`));
  }
  row.append(clock(now), label, badge);
  byId('timeline').append(row);
  lastSeen = now;
}

export function showState(state) {
  if (state === 'connected') wasConnected = true;
  if (state === 'closed' || state === 'failed') wasConnected = false;
  if (state === 'connecting' && wasConnected) state = 'reconnecting';
  if (state === 'failed') state = 'closed';
  byId('cut').hidden = state === 'closed';
  byId('again').hidden = state !== 'closed';
  const shown = byId('connection');
  shown.dataset.state = state;
  shown.lastElementChild.textContent = STATES[state];
}

// The server's own account: every version with its reason, every webhook with what came of it.
export function showRecord({ versions, inbox }) {
  const list = (title, rows) => {
    if (rows.length === 0) return [];
    const items = element('ol');
    items.append(...rows);
    return [element('h3', '', title), items];
  };
  byId('versions').replaceChildren(
    ...list('Versions', versions.map((version) =>
      line(version.created_at, version.status, `${version.actor}: ${version.reason}`))),
  );
  byId('inbox').replaceChildren(
    ...list('Webhooks', inbox.toReversed().map((entry) =>
      line(entry.received_at, entry.kind, reason(entry)))),
  );
  // What changed nothing is the interesting part.
  if (inbox.some((entry) => ['ignored', 'duplicate'].includes(entry.state))) {
    byId('record').open = true;
  }
}

function reason({ state, reason }) {
  return reason && reason !== state ? `${state}: ${reason}` : state;
}

function line(at, what, why) {
  const row = element('li');
  row.append(clock(Date.parse(at)), element('b', '', what), element('span', '', why));
  return row;
}

function showTrack(status) {
  const reached = { new: 1, paid: 2, done: 3 }[status] ?? 0;
  document.querySelectorAll('.track li').forEach((step, index) => {
    step.classList.toggle('past', index < reached);
    step.classList.toggle('next', index === reached);
  });
}

export function clock(milliseconds) {
  const time = element('time');
  const date = new Date(milliseconds);
  time.dateTime = date.toISOString();
  const part = (value, digits = 2) => String(value).padStart(digits, '0');
  time.textContent =
    `${part(date.getHours())}:${part(date.getMinutes())}:${part(date.getSeconds())}` +
    `.${part(date.getMilliseconds(), 3)}`;
  return time;
}

export function element(tag, className = '', text = '') {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}
