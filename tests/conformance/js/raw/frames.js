// WebSocket frames (RFC 6455, 5.2), and every way to write them wrong.

import { randomBytes } from 'node:crypto';

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

/** One frame of a client. `masked: false` and `rsv` are for the tests of bad input. */
export function frame(opcode, payload, { isLast = true, rsv = 0, masked = true } = {}) {
  const body = Buffer.from(payload);
  const head = [(isLast ? 0x80 : 0) | (rsv << 4) | opcode, masked ? 0x80 : 0];
  if (body.length < 126) {
    head[1] |= body.length;
  } else if (body.length < 65_536) {
    head[1] |= 126;
    head.push(body.length >> 8, body.length & 0xff);
  } else {
    head[1] |= 127;
    head.push(0, 0, 0, 0, ...uint32(body.length));
  }
  if (!masked) return Buffer.concat([Buffer.from(head), body]);
  const mask = randomBytes(4);
  const hidden = body.map((byte, at) => byte ^ mask[at % 4]);
  return Buffer.concat([Buffer.from(head), mask, hidden]);
}

function uint32(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Cuts a stream of a server's frames into frames. */
export class FrameReader {
  #bytes = Buffer.alloc(0);

  /** Frames that became complete with these bytes. */
  push(chunk) {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    const frames = [];
    for (let next = this.#next(); next; next = this.#next()) frames.push(next);
    return frames;
  }

  #next() {
    const bytes = this.#bytes;
    if (bytes.length < 2) return undefined;
    let [start, length] = [2, bytes[1] & 0x7f];
    if (bytes[1] & 0x80) throw new Error('a server must not mask');
    if (length === 126) {
      if (bytes.length < 4) return undefined;
      [start, length] = [4, bytes.readUInt16BE(2)];
    } else if (length === 127) {
      if (bytes.length < 10) return undefined;
      [start, length] = [10, Number(bytes.readBigUInt64BE(2))];
    }
    if (bytes.length < start + length) return undefined;
    this.#bytes = bytes.subarray(start + length);
    const payload = bytes.subarray(start, start + length);
    if (!(bytes[0] & 0x80)) throw new Error('a server of small messages must not fragment');
    if (bytes[0] & 0x70) throw new Error('a reserved bit without an extension');
    return { opcode: bytes[0] & 0x0f, payload };
  }
}
