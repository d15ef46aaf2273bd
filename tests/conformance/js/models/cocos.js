// Cocos (realtime contract, C3): a browser's WebSocket, an id that may be 0.

import { TextClient } from './text-client.js';

export class Cocos extends TextClient {
  // A native build; a browser adds its Origin.
  static headers = [];

  static connect({ auth, projectId, id = 0 }) {
    return JSON.stringify({ connect: { data: { auth, project_id: projectId } }, id });
  }

  sendUnasked(times) {
    for (let sent = 0; sent < times; sent += 1) this.socket.text('{}');
  }
}
