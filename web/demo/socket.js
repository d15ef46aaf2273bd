// A WebSocket with the page's two switches in it; Centrifuge takes it as its `websocket` option.

let isBlocked = false;
let cutUntil = 0;
const sockets = new Set();

export class DemoSocket extends WebSocket {
  constructor(...args) {
    // Thrown, as a browser does whose policy forbids the connection.
    if (isBlocked || Date.now() < cutUntil) throw new Error('no way through');
    super(...args);
    sockets.add(this);
    this.addEventListener('close', () => sockets.delete(this));
  }
}

// Ends the connection and lets none through for a while. The library keeps trying meanwhile.
export function cut(milliseconds) {
  cutUntil = Date.now() + milliseconds;
  closeAll();
}

export function block(on) {
  isBlocked = on;
  if (on) closeAll();
}

function closeAll() {
  for (const socket of sockets) socket.close();
}
