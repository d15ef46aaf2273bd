// The real binary, on a free port, with a data folder of its own.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { request } from './http.js';
import { Journal } from './journal.js';

const REPOSITORY = fileURLToPath(new URL('../../../../', import.meta.url));
const BINARY = process.env.ORDERCAST_BIN ?? join(REPOSITORY, 'target/debug/ordercast');
export const ROOT_KEY = 'root-key-of-the-conformance-tests-0123456789';
const LOG_LINES_SHOWN = 200;

/** Servers of this process, for the log that a failing test prints. */
const running = new Set();

export class Server {
  host = '127.0.0.1';
  /** Another one after each start: nothing can take the port while the server is down. */
  port;
  #folder = mkdtempSync(join(tmpdir(), 'ordercast-conformance-'));
  #env;
  #child;
  #log = [];
  #exited;

  /** `env`: settings as environment variables, for example ORDERCAST_PING_SECONDS. */
  static async start(env = {}) {
    const server = new Server();
    server.#env = env;
    running.add(server);
    await server.#spawn();
    return server;
  }

  get isSecure() {
    return 'ORDERCAST_TLS_CERTIFICATE' in this.#env;
  }

  get url() {
    return `${this.isSecure ? 'https' : 'http'}://${this.host}:${this.port}`;
  }

  async #spawn() {
    const address = '127.0.0.1:0';
    const args = ['serve', '--listen', address, '--data-dir', this.#folder, '--log-format', 'json'];
    this.#child = spawn(BINARY, args, {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {
        PATH: process.env.PATH,
        RUST_BACKTRACE: '1',
        ORDERCAST_LOG: 'info,ordercast_server=debug',
        ORDERCAST_DRAIN_SECONDS: '0',
        ORDERCAST_ROOT_KEY: ROOT_KEY,
        // Tests are faster than any shop.
        ORDERCAST_REQUESTS_PER_KEY: '0',
        ...this.#env,
      },
    });
    const lines = new Journal('server');
    this.#exited = new Promise((resolve) => {
      this.#child.once('error', (error) => {
        lines.add({ exit: `${BINARY}: ${error.message}` });
        resolve({ code: null, signal: null });
      });
      this.#child.once('exit', (code, signal) => {
        lines.add({ exit: `it ended with ${code ?? signal}` });
        resolve({ code, signal });
      });
    });
    createInterface({ input: this.#child.stderr }).on('line', (line) => {
      this.#log.push(line);
      if (line.includes('"serving"')) lines.add({ address: JSON.parse(line).address });
    });
    const { address: bound, exit } = await lines.until(() => true, 'line that tells the address');
    if (exit) throw new Error(`the server did not start: ${exit}\n${this.log()}`);
    this.port = Number(new URL(`http://${bound}`).port);
    const health = await request(this, 'GET', '/health');
    if (health.status !== 200) throw new Error(`/health: ${health.status}\n${this.log()}`);
  }

  /** Ends the process; how it ended. */
  async end(signal) {
    this.#child.kill(signal);
    return this.#exited;
  }

  /** Starts again on the same data. */
  async startAgain() {
    await this.#spawn();
  }

  /** Whether it still serves: asked after every bad input. */
  async isWell() {
    const health = await request(this, 'GET', '/health');
    return health.status === 200 && health.json().status === 'ok';
  }

  async stop() {
    await this.end('SIGKILL');
    running.delete(this);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  killNow() {
    this.#child.kill('SIGKILL');
  }

  log() {
    return this.#log.slice(-LOG_LINES_SHOWN).join('\n');
  }
}

export function logs() {
  return [...running].map((server) => server.log()).join('\n--\n');
}

process.once('exit', () => running.forEach((server) => server.killNow()));
