// `test` of node:test that prints the servers' logs when a test fails.

import { test as nodeTest } from 'node:test';
import { logs } from './server.js';

export function test(name, body) {
  return nodeTest(name, async (t) => {
    try {
      await body(t);
    } catch (error) {
      console.error(`-- server log of "${name}"\n${logs()}\n-- end of log`);
      throw error;
    }
  });
}
