// Unreal (realtime contract, C2): the subprotocol `wss`, TABs between tokens, a payment token.

import { TextClient } from './text-client.js';

export class Unreal extends TextClient {
  static headers = ['Pragma: no-cache', 'Cache-Control: no-cache', 'Sec-WebSocket-Protocol: wss'];

  /** libwebsockets, its back end on most platforms, names the host that it connects to, never its port. */
  static headersFor = ({ host }) => [`Origin: http://${host}`];

  /** The engine's pretty printer, after which only line ends and spaces are deleted. */
  static connect({ auth, projectId, id = -(2 ** 31) }) {
    return [
      `{\t"connect":\t{\t\t"data":\t\t{\t\t\t"auth":"${auth}",`,
      `\t\t\t"project_id":${projectId}\t\t}\t},\t"id":${id}}`,
    ].join('');
  }

  /** On its own every 25 s in which no other message came. */
  sendUnasked(times) {
    for (let sent = 0; sent < times; sent += 1) this.socket.text('{}');
  }
}
