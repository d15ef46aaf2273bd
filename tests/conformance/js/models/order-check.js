// An order that a game waits for with one of the SDKs: its connection, and what it does when that ends
// (realtime contract, C1 to C5; store contract, 7). Pauses between polls pass a hundred times faster than
// those of a game.

import { setTimeout as pause } from 'node:timers/promises';
import { Journal } from '../lib/journal.js';
import { Cocos } from './cocos.js';
import { Android, Ios } from './mobile.js';
import { Unity } from './unity.js';
import { Unreal } from './unreal.js';

const HASTE = 100;
const POLL_SECONDS = 3;
const FINAL = ['done', 'canceled'];

// `opens`, `polls`: which credential. `deadAfter`: seconds without a word after which it gives a
// connection up. `reconnects`: the library does, with recovery, unless the close is terminal.
// `pollsAfter`: which error reply to a connect sends it to polling; any other leaves it stuck. Those
// without it ignore the reply and wait for the close. `endsOver`: what of a poll ends its tracking,
// without a status.
export const SDKS = [
  { Sdk: Unity, opens: 'jwt', polls: 'jwt', firstPoll: 3, pollsFor: 600, deadAfter: 600, endsOver: ['network', 'http'] },
  { Sdk: Unreal, opens: 'payment token', polls: 'payment token', firstPoll: 0, pollsFor: 600, deadAfter: 600, endsOver: ['network', 'http', 'unknown status'] },
  { Sdk: Cocos, opens: 'jwt', polls: 'payment token', firstPoll: 0, pollsFor: 600, deadAfter: 600, endsOver: ['network', 'http'] },
  { Sdk: Android, opens: 'jwt', polls: 'jwt', firstPoll: 0, pollsFor: Infinity, deadAfter: 35, reconnects: true, pollsAfter: () => true, endsOver: ['http'] },
  { Sdk: Ios, opens: 'jwt', polls: 'jwt', firstPoll: 0, pollsFor: Infinity, deadAfter: 35, reconnects: true, pollsAfter: ({ code, temporary }) => temporary || code === 109, endsOver: [] },
];

const isTerminal = (code) =>
  code === 1009 || (code >= 3500 && code < 4000) || (code >= 4500 && code < 5000);

export class OrderCheck {
  /** Entries: {opened}, {status, how}, {ended: why}. */
  journal;
  #t;
  #rules;
  #buyer;
  #order;
  #credential;
  #socketAt;
  #pollAt;
  #client;

  /** `socketAt`, `pollAt`: servers or cables. */
  static start(t, rules, { buyer, bought, socketAt, pollAt }) {
    const check = new OrderCheck();
    check.journal = new Journal(rules.Sdk.name);
    check.#credential = { jwt: buyer.token(), 'payment token': bought.token };
    [check.#t, check.#rules, check.#buyer, check.#order] = [t, rules, buyer, bought.order_id];
    [check.#socketAt, check.#pollAt] = [socketAt, pollAt];
    check.#run().catch((error) => check.journal.add({ ended: `failed: ${error.message}` }));
    return check;
  }

  async #run() {
    const { reconnects } = this.#rules;
    for (;;) {
      const end = await this.#stream();
      if (end === 'final') return;
      if (end === 'terminal') return this.#end('the library gave up, and polls nothing');
      if (end === 'unreachable' || !reconnects) return this.#poll();
    }
  }

  /** One connection; how it ended. */
  async #stream() {
    const { Sdk, opens, reconnects, pollsAfter } = this.#rules;
    const auth = this.#credential[opens];
    const { project } = this.#buyer;
    const recover = this.#client?.position;
    try {
      this.#client = await Sdk.open(this.#t, this.#socketAt, { auth, project, recover });
    } catch {
      return 'unreachable';
    }
    const client = this.#client;
    this.journal.add({ opened: recover ?? true });
    const seen = new Set();
    for (;;) {
      // Pushed statuses of this order, and the end, in the order in which they came.
      const next = await client.journal.until((entry) => {
        const isMine = entry.order === this.#order || entry.polling || entry.refused || entry.crashed;
        return isMine && !seen.has(entry);
      }, 'status or end');
      seen.add(next);
      if (next.crashed) return this.#end('the game crashed');
      if (next.refused) return pollsAfter(next.refused) ? 'unreachable' : 'terminal';
      if (next.polling) {
        const closed = client.journal.entries.find((entry) => entry.closed)?.closed;
        return reconnects && isTerminal(closed?.code) ? 'terminal' : 'closed';
      }
      this.journal.add({ status: next.status, how: 'pushed' });
      if (FINAL.includes(next.status)) {
        // It asks again before it tells the game.
        if (Sdk === Unity && next.status === 'done') await this.#get();
        client.socket.destroy();
        return 'final';
      }
    }
  }

  async #poll() {
    const { firstPoll, pollsFor, endsOver } = this.#rules;
    for (let seconds = firstPoll; seconds <= pollsFor; seconds += POLL_SECONDS) {
      if (seconds > 0) await pause((POLL_SECONDS * 1_000) / HASTE);
      const { why, status } = await this.#get();
      if (why && endsOver.includes(why)) return this.#end(`a poll met: ${why}`);
      if (FINAL.includes(status)) return undefined;
    }
    return this.#end('it polled long enough');
  }

  async #get() {
    let answer;
    try {
      const credential = this.#credential[this.#rules.polls];
      answer = await this.#buyer.get(this.#order, credential, this.#pollAt);
    } catch {
      return { why: 'network' };
    }
    if (answer.status !== 200) return { why: 'http' };
    const { status } = answer.json();
    this.journal.add({ status, how: 'polled' });
    return ['new', 'paid', ...FINAL].includes(status) ? { status } : { why: 'unknown status' };
  }

  #end(why) {
    this.journal.add({ ended: why });
    return 'final';
  }

  /** Nothing has come for so long. */
  hearsNothingFor(seconds) {
    if (seconds >= this.#rules.deadAfter) this.#client.socket.destroy();
  }

  get hasOpened() {
    return this.journal.entries.some((entry) => entry.opened);
  }

  /** Statuses that were `pushed`, or `polled`. */
  heardBy(how) {
    return this.journal.entries.filter((entry) => entry.how === how).map((entry) => entry.status);
  }

  opened(times = 1) {
    return this.journal.take(times, (entry) => entry.opened, `connection ${times}`);
  }

  reached(status) {
    return this.journal.until((entry) => entry.status === status, `status ${status}`);
  }

  /** What it knew at last, and how it came to know it. */
  async ended() {
    const isEnd = (entry) => entry.ended || FINAL.includes(entry.status);
    await this.journal.until(isEnd, 'final status');
    const last = this.journal.entries.at(-1);
    return last.ended ?? last.status;
  }

  get statuses() {
    const known = this.journal.entries.filter((entry) => entry.status).map((entry) => entry.status);
    // A poll says again what is known.
    return known.filter((status, at) => status !== known[at - 1]);
  }
}
