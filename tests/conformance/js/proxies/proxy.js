// A reverse proxy of Debian's, run with the recipe of the documentation: only its ports, files and
// names are other ones, and a recipe that lacks one of those lines fails here.

import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const RECIPES = resolve(import.meta.dirname, '../../../../docs/proxies');
const TLS = resolve(import.meta.dirname, '../.tls');
const ATTEMPTS_MAX = 200;
const PAUSE_MS = 50;

const KINDS = {
  nginx: {
    recipe: 'nginx.conf',
    changes: ({ port, server, folder }) => [
      ['listen 443 ssl', `listen 127.0.0.1:${port} ssl`],
      ['server 127.0.0.1:8080;', `server ${server.host}:${server.port};`],
      ['/etc/ssl/orders.example.com.crt', `${TLS}/tls.crt`],
      ['/etc/ssl/private/orders.example.com.key', `${TLS}/tls.key`],
      ['/var/log/nginx/ordercast.log', `${folder}/access.log`],
      ['worker_rlimit_nofile 65536;', 'worker_rlimit_nofile 4096; daemon off; error_log stderr; pid nginx.pid;'],
      ['worker_connections 32768;', 'worker_connections 1024;'],
    ],
    command: ({ file, folder }) => ['nginx', ['-p', folder, '-c', file]],
    accessLog: ({ folder }) => readFileSync(`${folder}/access.log`, 'utf8'),
  },
  haproxy: {
    recipe: 'haproxy.cfg',
    changes: ({ port, server, folder }) => [
      ['bind :443', `bind 127.0.0.1:${port}`],
      ['server ordercast 127.0.0.1:8080', `server ordercast ${server.host}:${server.port}`],
      ['/etc/haproxy/orders.example.com.pem', pem(folder)],
      ['maxconn 32768', 'maxconn 1024'],
    ],
    command: ({ file }) => ['haproxy', ['-db', '-f', file]],
    accessLog: ({ output }) => output.join('\n'),
  },
  caddy: {
    recipe: 'Caddyfile',
    changes: ({ port, server }) => [
      [
        'orders.example.com {',
        `{\n\tadmin off\n\tauto_https off\n}\nhttps://127.0.0.1:${port} {\n\ttls ${TLS}/tls.crt ${TLS}/tls.key`,
      ],
      ['reverse_proxy 127.0.0.1:8080', `reverse_proxy ${server.host}:${server.port}`],
      ...(isOldCaddy() ? [['stream_close_delay 5m', '']] : []),
    ],
    command: ({ file }) => ['caddy', ['run', '--adapter', 'caddyfile', '--config', file]],
    accessLog: () => '',
  },
};

export const PROXIES = Object.keys(KINDS);

export class Proxy {
  host = '127.0.0.1';
  isSecure = true;
  port;
  #folder = mkdtempSync(join(tmpdir(), 'ordercast-proxy-'));
  #kind;
  #child;
  #output = [];
  #ended = false;

  static async start(t, name, server) {
    const proxy = new Proxy();
    proxy.#kind = KINDS[name];
    t.after(() => proxy.stop());
    proxy.port = await freePort();
    const scene = { port: proxy.port, server, folder: proxy.#folder };
    let text = readFileSync(join(RECIPES, proxy.#kind.recipe), 'utf8');
    for (const [line, other] of proxy.#kind.changes(scene)) {
      if (!text.includes(line)) throw new Error(`${proxy.#kind.recipe} has no line "${line}"`);
      text = text.replace(line, () => other);
    }
    const file = join(proxy.#folder, proxy.#kind.recipe);
    writeFileSync(file, text);
    const [command, args] = proxy.#kind.command({ ...scene, file });
    const environment = { ...process.env, HOME: proxy.#folder, XDG_DATA_HOME: proxy.#folder };
    proxy.#child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: environment });
    proxy.#child.once('exit', () => (proxy.#ended = true));
    for (const stream of [proxy.#child.stdout, proxy.#child.stderr]) {
      stream.on('data', (chunk) => proxy.#output.push(String(chunk)));
    }
    await proxy.#listens();
    return proxy;
  }

  async #listens() {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      if (this.#ended) break;
      if (await accepts(this.port)) return;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    throw new Error(`the proxy does not listen:\n${this.#output.join('')}`);
  }

  get accessLog() {
    return this.#kind.accessLog({ folder: this.#folder, output: this.#output });
  }

  async stop() {
    if (this.#child && !this.#ended) {
      const gone = new Promise((resolve) => this.#child.once('exit', resolve));
      this.#child.kill('SIGKILL');
      await gone;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function isOldCaddy() {
  const [, minor] = execFileSync('caddy', ['version']).toString().match(/2\.(\d+)/);
  return Number(minor) < 7;
}

function pem(folder) {
  const file = join(folder, 'both.pem');
  writeFileSync(file, readFileSync(`${TLS}/tls.crt`, 'utf8') + readFileSync(`${TLS}/tls.key`, 'utf8'));
  return file;
}

function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

function accepts(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
