// A TCP proxy in front of the server: a network that can fail, and an address that stays the same
// while the server is started again.

import net from 'node:net';
import { once } from 'node:events';

export class Cable {
  host = '127.0.0.1';
  port;
  isSecure;
  /** How many times a client has dialled, the refused ones included. */
  dials = 0;
  #listener;
  #pairs = new Set();
  #isCut = false;
  #waiting;

  static async to(server) {
    const cable = new Cable();
    cable.isSecure = server.isSecure;
    cable.#listener = net.createServer((client) => cable.#join(client, server));
    cable.#listener.listen(0, cable.host);
    await once(cable.#listener, 'listening');
    cable.port = cable.#listener.address().port;
    return cable;
  }

  #join(client, server) {
    this.dials += 1;
    if (this.#isCut) return void client.destroy();
    if (this.#waiting) return void this.#waiting.push(client);
    return this.#through(client, server);
  }

  #through(client, server) {
    const upstream = net.connect(server.port, server.host);
    const pair = { client, upstream, isDeaf: false };
    this.#pairs.add(pair);
    client.setNoDelay(true);
    upstream.setNoDelay(true);
    client.on('data', (bytes) => upstream.write(bytes));
    upstream.on('data', (bytes) => pair.isDeaf || client.write(bytes));
    client.on('end', () => upstream.end());
    upstream.on('end', () => client.end());
    for (const side of [client, upstream]) {
      side.on('error', () => {});
      side.on('close', () => {
        this.#pairs.delete(pair);
        client.destroy();
        upstream.destroy();
      });
    }
  }

  /** Ends the connections without a WebSocket close, and takes no new ones. */
  cut() {
    this.#isCut = true;
    for (const { client, upstream } of this.#pairs) {
      reset(client);
      reset(upstream);
    }
  }

  /** New connections wait until `release`, as at a proxy that waits for the next server. */
  hold() {
    this.#waiting = [];
  }

  release(server) {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    for (const client of waiting) this.#through(client, server);
  }

  /** What the server sends from now on is lost, while it still believes in the connection. */
  loseAnswers() {
    for (const pair of this.#pairs) pair.isDeaf = true;
  }

  mend() {
    this.#isCut = false;
  }

  close() {
    this.cut();
    this.#listener.close();
  }
}

/** After an `end` there is nothing to reset: Node would leave such a handle open for ever. */
function reset(socket) {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
