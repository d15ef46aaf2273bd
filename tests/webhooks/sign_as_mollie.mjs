// Reads {secret, body} and prints the signature that Mollie's own package makes of them.

import { readFileSync } from 'node:fs';
import { SignatureValidator } from 'mollie-api-typescript';

const { secret, body } = JSON.parse(readFileSync(0, 'utf8'));
const signature = await SignatureValidator.createSignature(body, secret);
const isTaken = await SignatureValidator.validate(body, secret, `sha256=${signature}`);
if (!isTaken) throw new Error('the package does not take its own signature');
console.log(signature);
