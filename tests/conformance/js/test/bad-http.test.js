// Bad input over HTTP: each gets its status and code, nothing changes, the server lives on.

import assert from 'node:assert/strict';
import { after } from 'node:test';
import { Honest } from '../lib/honest.js';
import { request } from '../lib/http.js';
import { claims, hs256, now, unsigned } from '../lib/jwt.js';
import { Project, bearer, post } from '../lib/project.js';
import { ROOT_KEY, Server } from '../lib/server.js';
import { test } from '../lib/case.js';
import { signature } from '../lib/webhook.js';

const API_BYTES_MAX = 64 * 1024;

const server = await Server.start();
after(() => server.stop());
const project = await Project.create(server);
const other = await Project.create(server);

/** A problem as /v1 tells it. */
function assertProblem(answer, status, code) {
  assert.equal(answer.status, status, answer.text);
  assert.equal(answer.headers['content-type'], 'application/problem+json');
  const problem = answer.json();
  assert.equal(problem.status, status);
  assert.equal(problem.code, code);
  return problem;
}

const order = JSON.stringify({
  user_external_id: 'buyer',
  price: { amount: '1.99', currency: 'USD' },
});
const orders = (body, headers) => project.post('/orders', body, headers);

const BODIES = {
  'what is not JSON': [400, 'bad_json', () => orders('user_external_id=buyer')],
  'JSON that breaks off': [400, 'bad_json', () => orders(order.slice(0, -1))],
  'two documents': [400, 'bad_json', () => orders(order + order)],
  'a duplicate key': [400, 'bad_json', () => orders(order.replace('{', '{"user_external_id":"x",'))],
  'bad UTF-8': [400, 'bad_json', () => orders(Buffer.from(order.replace('buyer', 'b\xff'), 'latin1'))],
  'JSON nested too deep': [400, 'bad_json', () => orders('{"items":' + '['.repeat(33) + ']'.repeat(33) + '}')],
  'another content type': [415, 'unsupported_media_type', () => orders(order, { 'content-type': 'text/plain' })],
  'no content type': [415, 'unsupported_media_type', () => orders(order, { 'content-type': '' })],
  'a body above the limit': [413, 'too_large', () => orders(order.padEnd(API_BYTES_MAX + 1, ' '))],
  'a field of another type': [422, 'invalid_field', () => orders('{"user_external_id":7}')],
  'an amount with too many places': [422, 'invalid_field', () => orders(order.replace('1.99', '1.999'))],
  'no price': [422, 'invalid_field', () => orders('{"user_external_id":"buyer"}')],
};

for (const [name, [status, code, send]] of Object.entries(BODIES)) {
  test(`${name}: ${status} ${code}`, async (t) => {
    const honest = await Honest.connect(t, project);
    assertProblem(await send(), status, code);
    await honest.isServed();
  });
}

test('a body of exactly the limit is read', async () => {
  assert.equal((await orders(order.padEnd(API_BYTES_MAX, ' '))).status, 201);
});

test('no path 404, no such method 405, in the words of either surface', async (t) => {
  const honest = await Honest.connect(t, project);
  assertProblem(await request(server, 'GET', '/v1/nothing'), 404, 'no_such_path');
  assertProblem(await request(server, 'DELETE', '/v1/projects'), 405, 'method_not_allowed');
  for (const [method, path, status] of [
    ['GET', '/api/v2/nothing', 404],
    ['DELETE', `/api/v2/project/${project.id}/order/1`, 405],
  ]) {
    const answer = await request(server, method, path);
    assert.equal(answer.status, status);
    assert.equal(answer.json().statusCode, status);
  }
  await honest.isServed();
});

test('a server without a good key gets one and the same 401', async (t) => {
  const honest = await Honest.connect(t, project);
  const path = project.path('/orders');
  const ask = (headers) =>
    request(server, 'POST', path, {
      headers: { 'content-type': 'application/json', ...headers },
      body: order,
    });
  const answers = [
    await ask({}),
    await ask(bearer('wrong')),
    await ask({ authorization: 'Basic !!!' }),
    await ask(bearer(project.buyer().token())),
  ];
  for (const answer of answers) {
    assertProblem(answer, 401, 'unauthorized');
    assert.equal(answer.headers['www-authenticate'], 'Bearer');
    assert.equal(answer.bytes(), answers[0].bytes());
  }
  await honest.isServed();
});

test("another project's and an unknown project's objects are the same 404 to an API key", async (t) => {
  const honest = await Honest.connect(t, project);
  const foreign = await other.buyer().order();
  const paths = [
    `/v1/projects/${other.id}/orders/${foreign}`,
    `/v1/projects/${2 ** 31 - 1}/orders/1`,
    project.path(`/orders/${2 ** 31 - 1}`),
    project.path('/orders/not-a-number'),
    `/v1/projects/0/orders/1`,
  ];
  const headers = bearer(project.apiKey);
  const answers = await Promise.all(paths.map((path) => request(server, 'GET', path, { headers })));
  for (const answer of answers) {
    assertProblem(answer, 404, 'not_found');
    assert.equal(answer.bytes(), answers[0].bytes());
  }
  const changed = await post(server, `${paths[0]}/transitions`, project.apiKey, { to: 'paid' });
  assert.equal(changed.bytes(), answers[0].bytes());
  await honest.isServed();
});

test("another buyer's order and a missing one are the same 404", async (t) => {
  const honest = await Honest.connect(t, project);
  const [buyer, stranger] = [project.buyer(), project.buyer()];
  const foreign = await stranger.order();
  const foreignProject = await other.buyer(buyer.user).order({ order_id: 4_242 });
  const answers = await Promise.all(
    [foreign, foreignProject, 2 ** 31 - 1, 0, -1, 'x'].map((id) => buyer.get(id)),
  );
  for (const answer of answers) {
    assert.equal(answer.status, 404);
    assert.equal(answer.json().errorCode, 9001);
    assert.equal(answer.bytes(), answers[0].bytes());
  }
  await honest.isServed();
});

test('a buyer without a good token gets one and the same 401', async (t) => {
  const honest = await Honest.connect(t, project);
  const buyer = project.buyer();
  const id = await buyer.order();
  const { token: foreignToken } = await other.buyer(buyer.user).buy();
  const tokens = [
    'nonsense',
    hs256('another secret of enough bytes, 32', claims(buyer.user)),
    unsigned(claims(buyer.user)),
    buyer.token({ exp: now() - 60 }),
    buyer.token({ exp: undefined }),
    other.buyer(buyer.user).token(),
    foreignToken,
    'A'.repeat(32),
    project.apiKey,
    ROOT_KEY,
  ];
  const answers = await Promise.all(tokens.map((token) => buyer.get(id, token)));
  const missing = `/api/v2/project/${2 ** 31 - 1}/order/${id}`;
  answers.push(await request(server, 'GET', missing, { headers: bearer(buyer.token()) }));
  for (const answer of answers) {
    assert.equal(answer.status, 401);
    assert.ok(answer.headers['www-authenticate']);
    assert.equal(answer.json().statusCode, 401);
    assert.equal(answer.bytes(), answers[0].bytes());
  }
  await honest.isServed();
});

test('a webhook that is forged or of no known source gets one and the same 401', async (t) => {
  const honest = await Honest.connect(t, project);
  const buyer = project.buyer();
  const id = await buyer.order();
  const body = buyer.event('order_paid', id);
  const good = signature(body, project.inbox.secret);
  const forged = await Promise.all([
    project.deliver(body, signature(body, 'another secret')),
    project.deliver(body, good.replace('Signature ', '')),
    project.deliver(body, good.toUpperCase()),
    project.deliver(body, ''),
    project.deliver(body + ' ', good),
    project.deliver(body.replace('1.99', '0.01'), good),
    other.deliver(body, good),
    request(server, 'POST', '/v1/inbox/src_nobody', { headers: { authorization: good }, body }),
  ]);
  for (const answer of forged) {
    assert.equal(answer.status, 401, answer.text);
    assert.equal(answer.json().error.code, 'INVALID_SIGNATURE');
    assert.equal(answer.bytes(), forged[0].bytes());
  }
  assert.equal((await buyer.get(id)).json().status, 'new');
  await honest.isServed();
});

test('a signed webhook that cannot be read is 400, above the limit 413', async (t) => {
  const honest = await Honest.connect(t, project);
  const buyer = project.buyer();
  const foreign = buyer.event('order_paid', await buyer.order(), { projectId: other.id });
  for (const body of ['not JSON', '{}', '[]', foreign]) {
    const answer = await project.deliver(body);
    assert.equal(answer.status, 400, answer.text);
    assert.equal(answer.json().error.code, 'INVALID_PARAMETER');
  }
  assert.equal((await project.deliver('{}'.padEnd(256 * 1024 + 1, ' '))).status, 413);
  await honest.isServed();
});

test('an illegal transition is 409 with where the order is, and changes nothing', async (t) => {
  const honest = await Honest.connect(t, project);
  const buyer = project.buyer();
  const id = await buyer.order();
  const move = (to) => project.post(`/orders/${id}/transitions`, { to });
  const fromNew = assertProblem(await move('done'), 409, 'illegal_transition');
  assert.deepEqual([fromNew.current_status, fromNew.current_version], ['new', 1]);
  await project.transition(id, 'canceled');
  for (const to of ['paid', 'done', 'canceled']) {
    const problem = assertProblem(await move(to), 409, 'illegal_transition');
    assert.deepEqual([problem.current_status, problem.current_version], ['canceled', 2]);
  }
  assertProblem(await move('expired'), 422, 'invalid_field');
  assert.equal((await project.versions(id)).length, 2);
  await honest.isServed();
});

test('a stale If-Match is 412, the current one moves the order', async (t) => {
  const honest = await Honest.connect(t, project);
  const id = await project.buyer().order();
  const move = (to, version) =>
    project.post(`/orders/${id}/transitions`, { to }, { 'if-match': `"${version}"` });
  assertProblem(await move('paid', 2), 412, 'version_mismatch');
  assert.equal((await move('paid', 1)).status, 200);
  const problem = assertProblem(await move('done', 1), 412, 'version_mismatch');
  assert.deepEqual([problem.current_status, problem.current_version], ['paid', 2]);
  assert.equal((await move('done', 2)).status, 200);
  await honest.isServed();
});

test('an idempotency key: same body same answer, another body 422, one effect', async (t) => {
  const honest = await Honest.connect(t, project);
  const buyer = project.buyer();
  const key = { 'idempotency-key': `key-${buyer.user}` };
  const body = order.replace('"buyer"', `"${buyer.user}"`);
  const made = await Promise.all([1, 2, 3].map(() => orders(body, key)));
  for (const answer of made) {
    assert.equal(answer.status, 201);
    assert.equal(answer.text, made[0].text);
  }
  const conflict = await orders(body.replace('1.99', '2.99'), key);
  assertProblem(conflict, 422, 'idempotency_key_reused');
  assertProblem(await orders(body, { 'idempotency-key': 'with space' }), 422, 'invalid_field');
  assert.equal(made[0].json().position.offset, 1);
  const next = await orders(body);
  assert.equal(next.json().position.offset, 2, 'one order before this one');
  await honest.isServed();
});
