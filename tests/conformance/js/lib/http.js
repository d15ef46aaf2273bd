// One HTTP request on a connection of its own. Not fetch: bad inputs need exact headers, and
// comparisons need the answer's headers as they came.

import http from 'node:http';
import https from 'node:https';

/** Headers that differ between any two answers. */
const OF_EACH_ANSWER = ['date', 'x-request-id'];

export function request(server, method, path, { headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const outgoing = (server.isSecure ? https : http).request(
      { host: server.host, port: server.port, method, path, headers, agent: false },
      (answer) => {
        const chunks = [];
        answer.on('data', (chunk) => chunks.push(chunk));
        answer.on('error', reject);
        answer.on('end', () => resolve(new Answer(answer, Buffer.concat(chunks).toString())));
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

class Answer {
  constructor(message, text) {
    this.status = message.statusCode;
    this.headers = message.headers;
    this.rawHeaders = message.rawHeaders;
    this.text = text;
  }

  json() {
    return JSON.parse(this.text);
  }

  /** Everything but the date and the request's id: two answers with the same bytes tell a prober nothing. */
  bytes() {
    const lines = [String(this.status)];
    for (let at = 0; at < this.rawHeaders.length; at += 2) {
      const [name, value] = this.rawHeaders.slice(at, at + 2);
      if (!OF_EACH_ANSWER.includes(name.toLowerCase())) lines.push(`${name}: ${value}`);
    }
    return [...lines, '', this.text].join('\n');
  }
}
