// The official SDK in both of its encodings, with everything it tells written down.

import { Centrifuge as JsonCentrifuge } from 'centrifuge';
import { Centrifuge as ProtobufCentrifuge } from 'centrifuge/build/protobuf';
import { EventSource } from 'eventsource';
import WebSocket from 'ws';
import { Journal } from './journal.js';

export const MODES = ['json', 'protobuf'];

/** The SDK's other transports, each with the encodings that it has. */
export const FALLBACKS = [
  ['http_stream', 'json'],
  ['http_stream', 'protobuf'],
  ['sse', 'json'],
];

/** What a page lists that wants to get through everywhere. */
export const TRANSPORTS = ['websocket', 'http_stream', 'sse'];

const EVENTS = [
  'connecting',
  'connected',
  'disconnected',
  'subscribed',
  'subscribing',
  'unsubscribed',
  'publication',
  'message',
  'join',
  'leave',
  'error',
];

export class Tracker {
  journal = new Journal('SDK client');
  client;
  #isBinary;

  /**
   * Connects. `at`: a server or a cable to it; `data`: connect data; `options`: more of the SDK's,
   * `transport`, one of the fallbacks instead of a WebSocket, `transports`, several in turn, and `isMute`: the network swallows the
   * first connection's pongs. The client ends with its test.
   */
  static connect(t, at, mode, data, { transport, transports, isMute = false, ...options } = {}) {
    const tracker = new Tracker();
    tracker.#isBinary = mode === 'protobuf';
    const Centrifuge = tracker.#isBinary ? ProtobufCentrifuge : JsonCentrifuge;
    const place = `${at.isSecure ? 's' : ''}://${at.host}:${at.port}`;
    const listed = (transport) => ({
      transport,
      endpoint: `${transport === 'websocket' ? 'ws' : 'http'}${place}/connection/${transport}`,
    });
    const endpoint = transports?.map(listed) ?? (transport ? [listed(transport)] : listed('websocket').endpoint);
    tracker.client = new Centrifuge(endpoint, {
      websocket: recorded(tracker.journal, isMute),
      fetch,
      readableStream: ReadableStream,
      eventsource: EventSource,
      emulationEndpoint: `http${place}/emulation`,
      data: tracker.#isBinary ? new TextEncoder().encode(JSON.stringify(data)) : data,
      minReconnectDelay: 20,
      maxReconnectDelay: 200,
      ...options,
    });
    for (const event of EVENTS) {
      tracker.client.on(event, (context) => tracker.#heard(event, context));
    }
    t.after(() => tracker.client.disconnect());
    tracker.client.connect();
    return tracker;
  }

  #heard(event, context) {
    const entry = { event, ...context };
    if (event === 'publication') entry.data = this.#payload(context.data);
    // The protobuf SDK shows a map that is not on the wire as an empty one.
    if (entry.tags && Object.keys(entry.tags).length === 0) delete entry.tags;
    this.journal.add(entry);
  }

  #payload(data) {
    return this.#isBinary ? JSON.parse(new TextDecoder().decode(data)) : data;
  }

  get entries() {
    return this.journal.entries;
  }

  of(event) {
    return this.entries.filter((entry) => entry.event === event);
  }

  /** The `count`th event of this name. */
  async event(name, count = 1) {
    const isIt = (entry) => entry.event === name;
    return (await this.journal.take(count, isIt, `event ${name} number ${count}`))[count - 1];
  }

  subscribed(count = 1) {
    return this.event('subscribed', count);
  }

  /** Waits until there are so many publications; `[offset, order_id, status]` of all. */
  async publications(count) {
    const isIt = (entry) => entry.event === 'publication';
    await this.journal.take(count, isIt, `${count} publications`);
    return this.seen();
  }

  seen() {
    return this.of('publication').map(({ offset, data }) => [offset, data.order_id, data.status]);
  }

  /** History of `channel`: `{publications: [[offset, order_id, status]], offset, epoch}`. */
  async history(channel, options) {
    const { publications, offset, epoch } = await this.client.history(channel, options);
    const seen = publications.map((publication) => {
      const { order_id, status } = this.#payload(publication.data);
      return [publication.offset, order_id, status];
    });
    return { publications: seen, offset, epoch };
  }

  /**
   * Comes back after everything that the server sent before: the server answers one connection's
   * commands in order with its pushes.
   */
  async fence() {
    const { channel } = this.of('subscribed').at(-1);
    await this.client.history(channel, { limit: 0 });
  }
}

/** The WebSocket of the SDK, with the closes and the pings that go over it written down. */
function recorded(journal, isFirstMute) {
  let opened = 0;
  return class extends WebSocket {
    constructor(...parameters) {
      super(...parameters);
      this.isMute = isFirstMute && opened === 0;
      opened += 1;
      this.on('message', (data) => isPing(data) && journal.add({ event: 'ping' }));
      this.on('close', (code, reason) => {
        journal.add({ event: 'close', code, reason: reason.toString() });
      });
    }

    send(bytes, ...more) {
      if (this.isMute && isPing(bytes)) return;
      super.send(bytes, ...more);
      if (isPing(bytes)) journal.add({ event: 'pong' });
    }
  };
}

/** Two bytes of JSON or one of protobuf, in either direction; the SDK sets how binary data comes. */
function isPing(data) {
  const bytes = Buffer.from(data);
  return bytes.equals(Buffer.from('{}')) || bytes.equals(Buffer.from([0]));
}
