// A buyer who does nothing wrong. After each bad input this one must still be served.

import assert from 'node:assert/strict';
import { RawSocket } from '../raw/socket.js';

export class Honest {
  #buyer;
  #socket;
  #seen = 0;

  static async connect(t, project) {
    const honest = new Honest();
    honest.#buyer = project.buyer();
    honest.#socket = await RawSocket.open(t, project.server);
    honest.#socket.text(JSON.stringify({ id: 1, connect: { data: honest.#buyer.connectData() } }));
    await honest.#socket.nthText(1);
    return honest;
  }

  /** The server is well, and a change reaches the old connection and a poll. */
  async isServed() {
    const { server } = this.#buyer.project;
    assert.equal(await server.isWell(), true, '/health');
    const order = await this.#buyer.order();
    this.#seen += 1;
    const { push } = await this.#nthPush();
    assert.deepEqual(push.pub.data, { order_id: order, status: 'new' });
    assert.equal(push.pub.offset, this.#seen);
    assert.equal((await this.#buyer.get(order)).json().status, 'new');
  }

  async #nthPush() {
    const isPush = ({ text }) => text?.startsWith('{"push"');
    const pushes = await this.#socket.journal.take(this.#seen, isPush, `push ${this.#seen}`);
    return JSON.parse(pushes[this.#seen - 1].text);
  }
}
