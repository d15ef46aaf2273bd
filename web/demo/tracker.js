// Tracks one order until it is done or canceled. This file is the example to copy.
//   connected  every status is pushed over a WebSocket (official `centrifuge` package)
//   cut off    the library reconnects by itself and recovers what was missed
//   no socket  *get order* is asked every 3 s, for 10 minutes at most
// onStatus(status, how) gets each status once and in order; `how` it came is
//   'pushed'     live
//   'recovered'  missed while cut off, brought by the reconnect
//   'history'    from before this page connected
//   'polled'     asked for, because there was no connection

const { Centrifuge } = globalThis; // with a bundler: import { Centrifuge } from 'centrifuge';

const STATUSES = ['new', 'paid', 'done', 'canceled'];
const POLL_EVERY_MS = 3_000;
const POLL_FOR_MS = 10 * 60_000;

export function trackOrder({
  url, // 'wss://shop.example/connection/websocket'
  apiBase, // 'https://shop.example/api/v2'
  projectId,
  userExternalId,
  auth, // the user's JWT, or the payment token that came with the order
  orderId,
  onStatus,
  onState = () => {}, // 'connecting', 'connected', 'polling', 'closed', 'failed' (refused)
  known = null, // a status that is on the screen already: only what follows it is told
  options = {}, // more options for Centrifuge
}) {
  let current = known;
  let ahead = known !== null; // `current` did not come from the channel, which may be behind it
  let reached = 0; // offset of the last publication
  let epoch; // of the channel; another epoch counts offsets anew
  let arrival = 'pushed'; // how publications come at this moment
  let everConnected = false;
  let polling = false;
  let ended = false;
  let pollTimer, pollUntil;

  const client = new Centrifuge(url, {
    data: { user_external_id: userExternalId, auth, project_id: projectId },
    ...options,
  });

  // One channel carries all orders of the buyer.
  const take = ({ data, offset }, how) =>
    data.order_id === orderId && accept(data.status, how, offset);

  client.on('publication', (publication) => take(publication, arrival));

  client.on('subscribed', async ({ channel, recovered, streamPosition }) => {
    if (epoch !== streamPosition?.epoch) reached = 0;
    epoch = streamPosition?.epoch;
    arrival = recovered ? 'recovered' : 'history'; // until history has answered, all is the past
    try {
      const since = { offset: 0 };
      const history = await client.history(channel, { limit: -1, since, reverse: false });
      history.publications.forEach((publication) => take(publication, 'history'));
    } catch {
      // Cut off again: the next connect will ask again.
    }
    arrival = 'pushed';
    if (current === null) poll(); // older than the history that is kept
    endIfFinal();
  });

  client.on('connected', () => {
    everConnected = true;
    polling = false;
    clearTimeout(pollTimer);
    onState('connected');
  });

  // The library is trying, for the first time or again (a connection lives 5 minutes).
  client.on('connecting', () => {
    onState('connecting');
    startPolling(POLL_EVERY_MS);
  });

  // The very first attempt failed: most likely WebSocket is not possible here.
  client.on('error', ({ type }) => {
    if (type === 'transport' && !everConnected) startPolling(0);
  });

  // The library has given up, or the credential was refused.
  client.on('disconnected', () => startPolling(0));

  function accept(status, how, offset) {
    if (ended || offset <= reached) return;
    reached = offset ?? reached;
    const polled = how === 'polled';
    const isOlder = STATUSES.indexOf(status) < STATUSES.indexOf(current);
    if (isOlder && (polled || ahead)) return; // poll and channel may overtake each other
    if (status !== current) {
      current = status;
      ahead = polled;
      onStatus(status, how);
    } else if (!polled) ahead = false; // the channel has come as far
    // In the past a final status need not be the last one: done, then refunded.
    if (polled || arrival === 'pushed') endIfFinal();
  }

  function endIfFinal() {
    if (['done', 'canceled'].includes(current) && current !== known) stop();
  }

  function startPolling(delay) {
    if (ended || polling) return;
    clearTimeout(pollTimer);
    pollTimer = setTimeout(() => {
      polling = true;
      pollUntil = Date.now() + POLL_FOR_MS;
      onState('polling');
      poll();
    }, delay);
  }

  async function poll() {
    const headers = { Authorization: `Bearer ${auth}` };
    try {
      // no-cache: the browser asks with the ETag, an unchanged order costs an empty 304.
      const order = `${apiBase}/project/${projectId}/order/${orderId}`;
      const response = await fetch(order, { headers, cache: 'no-cache' });
      if (response.ok) accept((await response.json()).status, 'polled');
      else if ([401, 403, 404].includes(response.status)) stop('failed');
    } catch {
      // Offline: the next one may get through.
    }
    if (ended || !polling) return;
    clearTimeout(pollTimer);
    if (Date.now() > pollUntil) stop();
    else pollTimer = setTimeout(poll, POLL_EVERY_MS);
  }

  function stop(state = 'closed') {
    if (ended) return;
    ended = true;
    clearTimeout(pollTimer);
    client.disconnect();
    onState(state);
  }

  try {
    client.connect();
  } catch {
    startPolling(0); // this browser has no WebSocket at all
  }
  return stop;
}
