// Cocos (realtime contract, C3): a browser's WebSocket, an id that may be 0.

import { TextClient } from './text-client.js';

export class Cocos extends TextClient {
  static headers = [];

  /** A native build: its library names the host and port that it connects to. */
  static headersFor = ({ host, port }) => [`Origin: ${host}:${port}`];

  static connect({ auth, projectId, id = 0 }) {
    return JSON.stringify({ connect: { data: { auth, project_id: projectId } }, id });
  }

  sendUnasked(times) {
    for (let sent = 0; sent < times; sent += 1) this.socket.text('{}');
  }
}
