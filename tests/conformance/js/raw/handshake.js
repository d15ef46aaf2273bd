// A WebSocket upgrade written byte by byte: shop SDKs differ in exactly these lines, and a library
// would add its own.

import net from 'node:net';
import tls from 'node:tls';
import { once } from 'node:events';
import { createHash, randomBytes } from 'node:crypto';

export const PATH = '/connection/websocket';
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/**
 * Sends a request with the given header lines, in their order. Gives the answer: `status`, `headers`
 * by lower-case name, the open `socket`, and the bytes that came behind the head. `tlsVersion`: the
 * newest that the client knows.
 */
export async function ask(at, { method = 'GET', path = PATH, lines, tlsVersion }) {
  const socket = at.isSecure
    ? tls.connect({ port: at.port, host: at.host, maxVersion: tlsVersion })
    : net.connect(at.port, at.host);
  socket.setNoDelay(true);
  await once(socket, at.isSecure ? 'secureConnect' : 'connect');
  const host = `Host: ${at.host}:${at.port}`;
  socket.write([`${method} ${path} HTTP/1.1`, host, ...lines, '', ''].join('\r\n'));
  return head(socket);
}

/** A complete upgrade; fails unless it is accepted with the right key. */
export async function upgrade(at, { path, lines = [], tlsVersion } = {}) {
  const { key, lines: asked } = upgradeLines();
  const answer = await ask(at, { path, lines: [...asked, ...lines], tlsVersion });
  if (answer.status !== 101) {
    answer.socket.destroy();
    throw new Error(`no upgrade: ${answer.status} ${answer.rest}`);
  }
  const accept = createHash('sha1').update(key + GUID).digest('base64');
  if (answer.headers.get('sec-websocket-accept') !== accept) throw new Error('a wrong accept key');
  return answer;
}

export function upgradeLines() {
  const key = randomBytes(16).toString('base64');
  const lines = [
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Key: ${key}`,
    'Sec-WebSocket-Version: 13',
  ];
  return { key, lines };
}

function head(socket) {
  return new Promise((resolve, reject) => {
    let bytes = Buffer.alloc(0);
    const more = (chunk) => {
      bytes = Buffer.concat([bytes, chunk]);
      const end = bytes.indexOf('\r\n\r\n');
      if (end < 0) return;
      socket.off('data', more);
      socket.off('error', reject);
      socket.off('close', early);
      socket.pause();
      const [first, ...fields] = bytes.subarray(0, end).toString('latin1').split('\r\n');
      const headers = new Map();
      for (const field of fields) {
        const colon = field.indexOf(':');
        headers.set(field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim());
      }
      const status = Number(first.split(' ')[1]);
      resolve({ status, headers, socket, rest: bytes.subarray(end + 4) });
    };
    const early = () => reject(new Error(`closed before an answer: ${bytes}`));
    socket.on('data', more);
    socket.once('error', reject);
    socket.once('close', early);
  });
}
