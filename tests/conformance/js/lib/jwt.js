// Users' JWTs, made with nothing but node:crypto.

import { createHmac, generateKeyPairSync, sign } from 'node:crypto';

const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

export const now = () => Math.floor(Date.now() / 1000);

/** Claims of a user, valid for ten minutes unless `more` says otherwise. */
export function claims(user, more = {}) {
  return { sub: user, exp: now() + 600, ...more };
}

export function hs256(secret, payload, header = { alg: 'HS256', typ: 'JWT' }) {
  const signed = `${part(header)}.${part(payload)}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

export function rs256(privateKey, payload, header = { alg: 'RS256', typ: 'JWT' }) {
  const signed = `${part(header)}.${part(payload)}`;
  return `${signed}.${sign('sha256', Buffer.from(signed), privateKey).toString('base64url')}`;
}

export function unsigned(payload) {
  return `${part({ alg: 'none' })}.${part(payload)}.`;
}

/** An RSA key: the private half to sign with, the public half as PEM. */
export function rsaKey() {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { privateKey, publicPem: publicKey.export({ type: 'spki', format: 'pem' }) };
}
