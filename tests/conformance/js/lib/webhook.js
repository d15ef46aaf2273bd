// The reference provider: bodies in the shape of the recorded one, and its signature.

import { createHash } from 'node:crypto';

/** Plain SHA-1 over body and secret, not an HMAC. */
export function signature(body, secret) {
  return 'Signature ' + createHash('sha1').update(body).update(secret).digest('hex');
}

/** `order_paid` or `order_canceled` in combined mode. */
export function orderEvent(kind, { projectId, orderId, user, amount = '1.99', invoice }) {
  const invoiceId = invoice ?? 5_000_000_000 + orderId;
  const canceled = kind === 'order_canceled';
  return JSON.stringify({
    items: [{ sku: 'sword', type: 'virtual_good', quantity: 1, amount: `${amount}00`, promotions: [] }],
    notification_type: kind,
    order: {
      id: orderId,
      mode: 'default',
      currency_type: 'real',
      currency: 'USD',
      amount: `${amount}00`,
      status: canceled ? 'canceled' : 'paid',
      platform: 'xsolla',
      comment: null,
      invoice_id: String(invoiceId),
      promotions: [],
    },
    user: { external_id: user, email: 'buyer@example.com', country: 'DE' },
    billing: {
      notification_type: canceled ? 'refund' : 'payment',
      settings: { project_id: projectId, merchant_id: 1 },
      purchase: { total: { currency: 'USD', amount: Number(amount) } },
      transaction: { id: invoiceId, dry_run: 0, payment_method: 1380 },
      ...(canceled && { refund_details: { code: 1, reason: 'asked by the user' } }),
    },
  });
}
