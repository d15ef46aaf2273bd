// The real binary with a folder of its own: started, killed, started again on the same data.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '../..');
const BINARY = resolve(ROOT, process.env.ORDERCAST_BIN ?? 'target/debug/ordercast');
const START_MS_MAX = 20_000;
const LOG_CHARS_MAX = 200_000;

export class Server {
  static async start() {
    const server = new Server();
    server.port = await freePort();
    server.url = `http://127.0.0.1:${server.port}`;
    server.data = await mkdtemp(join(tmpdir(), 'ordercast-browser-'));
    server.log = '';
    await server.run();
    return server;
  }

  // Until the banner names the page and the server answers.
  async run() {
    const arguments_ = ['demo', '--listen', `127.0.0.1:${this.port}`, '--data-dir', this.data];
    const child = spawn(BINARY, arguments_, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.process = child;
    this.ended = once(child, 'exit');
    await new Promise((resolve, reject) => {
      let output = '';
      const late = setTimeout(() => reject(new Error('no banner in time')), START_MS_MAX);
      const read = (chunk) => {
        this.log = (this.log + chunk).slice(-LOG_CHARS_MAX);
        output += chunk;
        if (output.includes(`${this.url}/demo/`)) resolve(clearTimeout(late));
      };
      child.stdout.on('data', read);
      child.stderr.on('data', read);
      child.on('error', reject);
      child.on('exit', (code, signal) => {
        this.log += `server ended: ${code ?? signal}\n`;
        reject(new Error(`ended with ${code ?? signal}`));
      });
    }).catch((error) => {
      throw new Error(`${BINARY}: ${error.message}\n${this.log}`);
    });
    const health = await fetch(`${this.url}/health`);
    if (!health.ok) throw new Error(`/health answered ${health.status}\n${this.log}`);
  }

  // As by a power cut: no signal handler runs.
  async kill() {
    this.process.kill('SIGKILL');
    await this.ended;
  }

  async stop() {
    this.process.kill('SIGTERM');
    await this.ended;
    await rm(this.data, { recursive: true, force: true });
  }
}

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  return port;
}
