// A project and its buyers, through the HTTP API as a shop's backend and a payment provider use it.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { request } from './http.js';
import { claims, hs256 } from './jwt.js';
import { ROOT_KEY } from './server.js';
import { orderEvent, signature } from './webhook.js';

const PRICE = { amount: '1.99', currency: 'USD' };

export class Project {
  /** `body` as POST /v1/projects takes it; without a key for JWTs an HS256 secret is made. */
  static async create(server, body = {}) {
    const made = await post(server, '/v1/projects', ROOT_KEY, {
      name: 'Conformance',
      items: [{ sku: 'sword', name: 'Sword', price: PRICE }],
      ...body,
    });
    assert.equal(made.status, 201, made.text);
    const project = new Project();
    const { project_id, api_key, jwt, inbox } = made.json();
    return Object.assign(project, { server, id: project_id, apiKey: api_key, jwt, inbox });
  }

  /** A buyer whom nobody else in the run is: its channel holds only what its test does. */
  buyer(user = randomUUID()) {
    return new Buyer(this, user);
  }

  path(rest) {
    return `/v1/projects/${this.id}${rest}`;
  }

  post(rest, body, headers) {
    return post(this.server, this.path(rest), this.apiKey, body, headers);
  }

  get(rest) {
    return request(this.server, 'GET', this.path(rest), { headers: bearer(this.apiKey) });
  }

  async transition(orderId, to, headers) {
    const answer = await this.post(`/orders/${orderId}/transitions`, { to }, headers);
    assert.equal(answer.status, 200, answer.text);
    return answer.json();
  }

  /** Delivers a provider's body as it stands. */
  deliver(body, authorization = signature(body, this.inbox.secret)) {
    const headers = { authorization, 'content-type': 'application/json' };
    return request(this.server, 'POST', this.inbox.path, { headers, body });
  }

  async versions(orderId) {
    return (await this.get(`/orders/${orderId}/versions`)).json().versions;
  }
}

export class Buyer {
  constructor(project, user) {
    this.project = project;
    this.user = user;
  }

  token(more) {
    return hs256(this.project.jwt.hs256_secret, claims(this.user, more));
  }

  /** Connect data as the web sample sends it. */
  connectData(more = {}) {
    const { user, project } = this;
    return { user_external_id: user, auth: this.token(), project_id: project.id, ...more };
  }

  /** A new order, made by the shop; its number. */
  async order(more = {}) {
    const body = { user_external_id: this.user, price: PRICE, ...more };
    const made = await this.project.post('/orders', body);
    assert.equal(made.status, 201, made.text);
    return made.json().order_id;
  }

  /** A new order, made by the buyer's client: `{order_id, token}`. */
  async buy(sku = 'sword') {
    const path = `/api/v2/project/${this.project.id}/payment/item/${sku}`;
    const made = await post(this.project.server, path, this.token(), {});
    assert.equal(made.status, 200, made.text);
    return made.json();
  }

  /** *Get order*, what clients poll. */
  get(orderId, credential = this.token(), at = this.project.server) {
    const path = `/api/v2/project/${this.project.id}/order/${orderId}`;
    return request(at, 'GET', path, { headers: bearer(credential) });
  }

  event(kind, orderId, more = {}) {
    return orderEvent(kind, { projectId: this.project.id, orderId, user: this.user, ...more });
  }

  /** The provider tells that the order was paid. */
  async pay(orderId) {
    const answer = await this.project.deliver(this.event('order_paid', orderId));
    assert.equal(answer.status, 200, answer.text);
    return answer.json();
  }

  done(orderId) {
    return this.project.transition(orderId, 'done');
  }
}

export const bearer = (credential) => ({ authorization: `Bearer ${credential}` });

export function post(server, path, credential, body, headers = {}) {
  return request(server, 'POST', path, {
    headers: { ...bearer(credential), 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body),
  });
}
