// A WebSocket without a library: what the server sends is written down frame by frame.

import { Journal } from '../lib/journal.js';
import { FrameReader, OPCODE, frame } from './frames.js';
import { upgrade } from './handshake.js';

export class RawSocket {
  /** Entries: {text}, {binary}, {ping}, {pong}, {close: {code, reason}}, {end}. */
  journal = new Journal('raw client');
  headers;
  /** Of TLS, where the server speaks it. */
  tlsVersion;
  /** Called with each entry, in order. */
  onEntry = () => {};
  #socket;
  #reader = new FrameReader();

  /** Upgrades and starts to read. `t`: the test with which the socket ends. */
  static async open(t, at, options) {
    const { socket, headers, rest } = await upgrade(at, options);
    const raw = new RawSocket();
    raw.headers = headers;
    raw.tlsVersion = socket.getProtocol?.();
    raw.#socket = socket;
    t.after(() => socket.destroy());
    socket.on('error', (error) => raw.#add({ error: error.code }));
    socket.on('close', () => raw.#add({ end: true }));
    socket.on('data', (chunk) => raw.#read(chunk));
    if (rest.length > 0) raw.#read(rest);
    socket.resume();
    return raw;
  }

  #read(chunk) {
    for (const { opcode, payload } of this.#reader.push(chunk)) {
      switch (opcode) {
        case OPCODE.text:
          this.#add({ text: payload.toString() });
          break;
        case OPCODE.binary:
          this.#add({ binary: payload });
          break;
        case OPCODE.ping:
          this.#add({ ping: payload.toString() });
          break;
        case OPCODE.pong:
          this.#add({ pong: payload.toString() });
          break;
        case OPCODE.close:
          this.#add({ close: closeOf(payload) });
          // The closing handshake: the server may then end the connection.
          this.#socket.write(frame(OPCODE.close, payload.subarray(0, 2)));
          break;
        default:
          throw new Error(`opcode ${opcode}`);
      }
    }
  }

  #add(entry) {
    this.journal.add(entry);
    this.onEntry(entry);
  }

  text(message) {
    this.bytes(frame(OPCODE.text, message));
  }

  binary(message) {
    this.bytes(frame(OPCODE.binary, message));
  }

  ping(payload) {
    this.bytes(frame(OPCODE.ping, payload));
  }

  bytes(bytes) {
    if (this.#socket.writable) this.#socket.write(bytes);
  }

  /** The network dies without a word. */
  destroy() {
    this.#socket.destroy();
  }

  get texts() {
    return this.journal.entries.filter((entry) => 'text' in entry).map((entry) => entry.text);
  }

  /** The `count`th text frame. */
  async nthText(count) {
    const isText = (entry) => 'text' in entry;
    return (await this.journal.take(count, isText, `text frame ${count}`))[count - 1].text;
  }

  /** The close frame, once the connection has ended. */
  async closed() {
    await this.journal.until((entry) => entry.end, 'end of the connection');
    return this.journal.entries.find((entry) => entry.close)?.close;
  }
}

function closeOf(payload) {
  if (payload.length < 2) return { code: 1005, reason: '' };
  return { code: payload.readUInt16BE(0), reason: payload.subarray(2).toString() };
}
