// What the shop SDKs of game engines have in common (realtime contract, C1 to C3): JSON written by
// hand, one parse of a whole frame, no recovery, polling after any close.

import { Journal } from '../lib/journal.js';
import { RawSocket } from '../raw/socket.js';

const INT32_MAX = 2 ** 31 - 1;

export class TextClient {
  /** Entries: {status, order, offset}, {pinged}, {dropped}, {crashed}, {polling}. */
  journal;
  socket;

  /** `t`: test; `at`: server or cable; `auth`, `project`: as the game passes them. */
  static async open(t, at, { auth, project, id, lines = [] }) {
    const client = new this();
    client.journal = new Journal(this.name);
    const { headers, headersFor, tlsVersion } = this;
    const all = [...headers, ...(headersFor?.(at) ?? []), ...lines];
    client.socket = await RawSocket.open(t, at, { lines: all, tlsVersion });
    client.socket.onEntry = (entry) => client.#heard(entry);
    client.socket.text(this.connect({ auth, projectId: project.id, id }));
    return client;
  }

  #heard(entry) {
    if ('text' in entry) return this.#frame(entry.text);
    if ('binary' in entry) this.journal.add({ dropped: 'a binary frame' });
    if (entry.end) this.journal.add({ polling: true });
  }

  #frame(text) {
    // Exactly these two bytes; `{}\n` would fall through to the parser and never be answered.
    if (text === '{}') {
      this.journal.add({ pinged: true });
      return this.socket.text('{}');
    }
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      return this.journal.add({ dropped: text });
    }
    if (!message.push) return undefined;
    // Cocos reads `push.pub.data` without a look: another kind of push throws in the game.
    if (!message.push.pub?.data) return this.journal.add({ crashed: text });
    const { offset, data } = message.push.pub;
    if (!isInt32(offset) || !isInt32(data.order_id)) return this.journal.add({ dropped: text });
    return this.journal.add({ status: data.status, order: data.order_id, offset });
  }

  /** What it knows of an order, in the order in which it came. */
  statuses(order) {
    const known = this.journal.entries.filter((entry) => entry.order === order);
    return known.map((entry) => entry.status);
  }

  reached(order, status) {
    const isIt = (entry) => entry.order === order && entry.status === status;
    return this.journal.until(isIt, `status ${status} of order ${order}`);
  }

  /** The connection has ended, and the SDK falls back. */
  polls() {
    return this.journal.until((entry) => entry.polling, 'fall-back to polling');
  }

  /** Frames that the SDK could not use. None of them may ever come. */
  get losses() {
    return this.journal.entries.filter((entry) => entry.dropped || entry.crashed);
  }
}

function isInt32(value) {
  return Number.isInteger(value) && value >= 1 && value <= INT32_MAX;
}
