// What has happened so far, and a way to wait for what has not happened yet. Tests wait for
// entries of journals instead of sleeping.

// Far above what a busy machine needs; it bounds a hang, it measures nothing.
const PATIENCE_MS = 30_000;

export class Journal {
  entries = [];
  #name;
  #waiting = new Set();

  constructor(name) {
    this.#name = name;
  }

  add(entry) {
    this.entries.push(entry);
    for (const waiter of [...this.#waiting]) waiter();
  }

  /** The first entry at or after index `from` that matches; waits until there is one. */
  until(matches, what, { from = 0 } = {}) {
    return this.#wait(() => this.entries.slice(from).find(matches), what);
  }

  /** The first `count` entries that match, in order; waits until there are so many. */
  take(count, matches, what) {
    return this.#wait(() => {
      const found = this.entries.filter(matches);
      return found.length >= count ? found.slice(0, count) : undefined;
    }, what);
  }

  #wait(look, what) {
    const there = look();
    if (there !== undefined) return Promise.resolve(there);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(waiter);
        const seen = this.entries.map((entry) => '\n  ' + show(entry)).join('');
        reject(new Error(`${this.#name}: no ${what}; it has seen${seen || ' nothing'}`));
      }, PATIENCE_MS);
      const waiter = () => {
        const found = look();
        if (found === undefined) return;
        clearTimeout(timer);
        this.#waiting.delete(waiter);
        resolve(found);
      };
      this.#waiting.add(waiter);
    });
  }
}

function show(entry) {
  return JSON.stringify(entry, (_, value) =>
    value instanceof Uint8Array || value?.type === 'Buffer'
      ? `hex:${Buffer.from(value.data ?? value).toString('hex').slice(0, 200)}`
      : value,
  );
}
