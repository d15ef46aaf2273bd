// A streaming answer without a library: each message is written down as it comes.

import http from 'node:http';
import { Journal } from '../lib/journal.js';

const SPLITS = {
  'application/json': { end: '\n', text: (message) => message },
  'text/event-stream': { end: '\n\n', text: (message) => message.trim().replace(/^(id: [^\n]*\n)?data: /, '') },
};

export class RawStream {
  /** Entries: {message, text}, {end}. */
  journal = new Journal('raw stream');
  status;
  headers;
  /** What came before the first message. */
  text = '';
  #request;

  /** Opens one, or gives an answer that is no stream: look at `status`. */
  static open(t, at, path, { method = 'POST', headers = {}, body } = {}) {
    const stream = new RawStream();
    return new Promise((resolve, reject) => {
      const options = { host: at.host, port: at.port, method, path, headers, agent: false };
      stream.#request = http.request(options, (answer) => {
        stream.status = answer.statusCode;
        stream.headers = answer.headers;
        stream.#read(answer);
        resolve(stream);
      });
      t.after(() => stream.#request.destroy());
      stream.#request.on('error', reject);
      stream.#request.end(body === undefined || typeof body === 'string' ? body : JSON.stringify(body));
    });
  }

  #read(answer) {
    const split = SPLITS[answer.headers['content-type']];
    let rest = '';
    answer.setEncoding('utf8');
    answer.on('data', (chunk) => {
      this.text += chunk;
      if (!split) return;
      rest += chunk;
      for (let at = rest.indexOf(split.end); at >= 0; at = rest.indexOf(split.end)) {
        const text = split.text(rest.slice(0, at));
        this.journal.add({ message: JSON.parse(text), text });
        rest = rest.slice(at + split.end.length);
      }
    });
    answer.on('error', () => {});
    answer.on('close', () => this.journal.add({ end: true, isWhole: answer.complete }));
  }

  destroy() {
    this.#request.destroy();
  }

  /** The `count`th message. */
  async nth(count) {
    const isIt = (entry) => 'message' in entry;
    return (await this.journal.take(count, isIt, `message ${count}`))[count - 1].message;
  }

  /** The last message, once the stream has ended as it should. */
  async last() {
    const { isWhole } = await this.journal.until((entry) => entry.end, 'end of the stream');
    if (!isWhole) throw new Error('the stream broke off');
    return this.journal.entries.filter((entry) => 'message' in entry).at(-1).message;
  }
}
