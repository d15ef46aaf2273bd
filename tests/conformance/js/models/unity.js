// Unity (realtime contract, C1): websocket-sharp, which fails the handshake over what it did not
// ask for.

import { TextClient } from './text-client.js';

export class Unity extends TextClient {
  static headers = ['User-Agent: websocket-sharp/1.0'];
  /** Pinned: it knows no newer one. */
  static tlsVersion = 'TLSv1.2';

  /** Compact, key order `connect`, `id`; an absolute hash as the id. */
  static connect({ auth, projectId, id = 1_804_289_383 }) {
    return JSON.stringify({ connect: { data: { auth, project_id: projectId } }, id });
  }

  /** `IsAlive`: a WebSocket control ping, for which the game's main thread waits. */
  async isAlive(payload = 'alive?') {
    this.socket.ping(payload);
    return this.socket.journal.until((entry) => entry.pong === payload, 'control pong');
  }
}
