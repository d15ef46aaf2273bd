// A certificate for 127.0.0.1 that signs itself, in `.tls`. A process of its own: Node reads whom it
// trusts (NODE_EXTRA_CA_CERTS) when it starts.

import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';

const folder = resolve(import.meta.dirname, '../.tls');
mkdirSync(folder, { recursive: true });
execFileSync('openssl', [
  ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
  ...['-days', '2', '-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'],
  ...['-keyout', `${folder}/tls.key`, '-out', `${folder}/tls.crt`],
], { stdio: ['ignore', 'ignore', 'inherit'] });
