// A planned restart. A game whose connection is closed polls at once, and gives its order up when it meets
// a closed port: so HTTP is answered until the whole window and two seconds more are over. A listening
// socket of the service manager refuses nobody at all.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { request } from '../lib/http.js';
import { Journal } from '../lib/journal.js';
import { Project } from '../lib/project.js';
import { ROOT_KEY, Server } from '../lib/server.js';
import { test } from '../lib/case.js';
import { OrderCheck, SDKS } from '../models/order-check.js';
import { Cocos } from '../models/cocos.js';

const DRAIN_SECONDS = 3;
const GRACE_SECONDS = 2;
const COCOS = SDKS.find(({ Sdk }) => Sdk === Cocos);

test('a game whose connection is closed at the begin of the window polls until its order is done', async (t) => {
  const server = await Server.start({ ORDERCAST_DRAIN_SECONDS: String(DRAIN_SECONDS) });
  t.after(() => server.stop());
  const buyer = (await Project.create(server)).buyer();
  const bought = await buyer.buy();
  const check = OrderCheck.start(t, COCOS, { buyer, bought, socketAt: server, pollAt: server });
  await check.reached('new');
  const began = Date.now();
  const ended = server.end('SIGTERM');
  // The only connection is closed first thing. The provider and the shop go on meanwhile.
  await check.journal.until((entry) => entry.how === 'polled', 'poll');
  await buyer.pay(bought.order_id);
  await buyer.done(bought.order_id);
  assert.equal(await check.ended(), 'done');
  // The whole window and its grace, by polls that are all answered.
  let lastAnswered = 0;
  for (;;) {
    const answer = await request(server, 'GET', '/health').catch(() => undefined);
    if (!answer) break;
    assert.equal(answer.status, 200);
    lastAnswered = Date.now() - began;
  }
  assert.deepEqual(await ended, { code: 0, signal: null });
  const promised = (DRAIN_SECONDS + GRACE_SECONDS) * 1_000;
  assert.ok(lastAnswered > promised - 500, `answered for ${lastAnswered} ms of ${promised}`);
});

/** The binary with a listening socket of ours, handed over as systemd does. */
const HAND_OVER = `
import os, socket, sys
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(64)
print(listener.getsockname()[1], flush=True)
os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)
for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
        os.execvp(sys.argv[1], sys.argv[1:])
    os.waitpid(pid, 0)
    print("ended", flush=True)
`;

test('a socket of the service manager holds who comes between two servers', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'ordercast-handed-over-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const binary = process.env.ORDERCAST_BIN ?? new URL('../../../../target/debug/ordercast', import.meta.url).pathname;
  const child = spawn('python3', ['-c', HAND_OVER, binary, 'serve', '--data-dir', folder, '--log-format', 'json'], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, ORDERCAST_ROOT_KEY: ROOT_KEY, ORDERCAST_DRAIN_SECONDS: '0' },
  });
  t.after(() => child.kill('SIGKILL'));
  const [said, logged] = [new Journal('service manager'), new Journal('server')];
  createInterface({ input: child.stdout }).on('line', (line) => said.add({ line }));
  createInterface({ input: child.stderr }).on('line', (line) => logged.add(JSON.parse(line)));
  const { line: port } = await said.until(() => true, 'port');
  const at = { host: '127.0.0.1', port: Number(port), isSecure: false };
  // Nobody serves yet: it waits in the socket.
  const early = request(at, 'GET', '/health');
  child.stdin.write('start\n');
  assert.equal((await early).status, 200);
  const serving = await logged.until(({ message }) => message === 'serving', 'line that tells the address');
  assert.equal(serving.address, `127.0.0.1:${port}`);
  const { pid } = await logged.until((entry) => 'pid' in entry, 'its process id');
  process.kill(pid, 'SIGTERM');
  await said.until(({ line }) => line === 'ended', 'end of the first server');
  const between = request(at, 'GET', '/health');
  child.stdin.write('start\n');
  assert.equal((await between).status, 200);
  const servers = await logged.take(2, (entry) => 'pid' in entry, 'second server');
  process.kill(servers[1].pid, 'SIGKILL');
});
