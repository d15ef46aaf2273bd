// Android and iOS (realtime contract, C4 and C5): protobuf in binary frames, text is not heard.

import { Journal } from '../lib/journal.js';
import { PONG, connectCommand, replies } from '../raw/protobuf.js';
import { RawSocket } from '../raw/socket.js';

class Mobile {
  /** Entries: {connected}, {refused}, {status, order, offset}, {pinged}, {crashed}, {closed}, {polling}. */
  journal;
  socket;
  #sendsPong = false;

  static async open(t, at, { auth, project, id = 1, recover, lines = [] }) {
    const client = new this();
    client.journal = new Journal(this.name);
    const { headers, tlsVersion } = this;
    client.socket = await RawSocket.open(t, at, { lines: [...headers, ...lines], tlsVersion });
    client.socket.onEntry = (entry) => client.#heard(entry);
    const data = this.data({ auth, projectId: project.id });
    client.socket.binary(connectCommand({ id, data, name: this.libraryName, recover }));
    return client;
  }

  #heard(entry) {
    if (entry.binary) for (const reply of replies(entry.binary)) this.#reply(reply);
    if (entry.close) this.journal.add({ closed: entry.close });
    if (entry.end) this.journal.add({ polling: true });
  }

  #reply({ ping, error, connect, push }) {
    if (ping) {
      this.journal.add({ pinged: true });
      if (this.#sendsPong) this.socket.binary(PONG);
    } else if (error) {
      this.journal.add({ refused: error });
    } else if (connect) {
      this.#sendsPong = connect.pong;
      this.journal.add({ connected: connect });
      // Recovered ones come as pushed ones do.
      for (const [channel, { publications }] of Object.entries(connect.subs)) {
        for (const pub of publications) this.#push({ channel, pub });
      }
    } else if (push) {
      this.#push(push);
    }
  }

  #push({ channel, pub }) {
    const known = this.journal.entries.find((entry) => entry.connected)?.connected.subs ?? {};
    // Publications of a channel that the connect reply did not name are not delivered.
    if (!pub || !(channel in known)) return;
    const { order_id: order, status } = JSON.parse(pub.data);
    // Force-unwrapped on iOS: the app ends.
    const isUsable = Number.isInteger(order) && typeof status === 'string';
    this.journal.add(isUsable ? { status, order, offset: pub.offset } : { crashed: pub.data });
  }

  /** Where the library would recover from; undefined before the connect reply. */
  get position() {
    const subs = this.journal.entries.find((entry) => entry.connected)?.connected.subs;
    if (!subs) return undefined;
    const [[channel, { epoch, offset }]] = Object.entries(subs);
    const offsets = this.journal.entries.map((entry) => entry.offset ?? 0);
    return { channel, epoch, offset: Math.max(offset, ...offsets) };
  }

  statuses(order) {
    const known = this.journal.entries.filter((entry) => entry.order === order);
    return known.map((entry) => entry.status);
  }

  reached(order, status) {
    const isIt = (entry) => entry.order === order && entry.status === status;
    return this.journal.until(isIt, `status ${status} of order ${order}`);
  }

  async connected() {
    const isIt = (entry) => entry.connected;
    return (await this.journal.until(isIt, 'reply to the connect')).connected;
  }

  polls() {
    return this.journal.until((entry) => entry.polling, 'end of the connection');
  }

  /** Text frames are not heard by these SDKs, so what they carry is lost. */
  get losses() {
    const crashed = this.journal.entries.filter((entry) => entry.crashed);
    return [...crashed, ...this.socket.texts];
  }
}

export class Android extends Mobile {
  static libraryName = 'java';
  static headers = [
    'Sec-WebSocket-Protocol: centrifuge-protobuf',
    'Sec-WebSocket-Extensions: permessage-deflate',
    'Accept-Encoding: gzip',
    'User-Agent: okhttp/4.12.0',
  ];

  static data({ auth, projectId }) {
    return JSON.stringify({ auth, project_id: projectId });
  }
}

export class Ios extends Mobile {
  static libraryName = 'swift';
  static headers = [
    'Sec-WebSocket-Protocol: centrifuge-protobuf',
    'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits; server_max_window_bits=15',
  ];

  /** Pretty-printed, in an order of its own. */
  static data({ auth, projectId }) {
    return JSON.stringify({ project_id: projectId, auth }, null, 2).replaceAll('":', '" :');
  }
}
