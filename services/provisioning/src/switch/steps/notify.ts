import { bytesEqual, toHex } from '@sefleet/bytes';
import { verifyCertificate } from '@sefleet/globalplatform';
import { subscriberOf } from '../../domain/contract.ts';
import { CONTROLLING_AUTHORITY } from '../../domain/party.ts';
import { mandateGiver } from '../../domain/switch/switch-order.ts';
import { lookUpDeadline } from '../../domain/switch/working-days.ts';
import { provisioningError } from '../../errors.ts';
import { cardUniqueData, signingPoint } from '../../manufacture/management-domains.ts';
import type { StepContext } from '../step-context.ts';

const NONCE_BYTES = 8;

/** The order to switch, signed by the one who may give it. */
export async function takeMandate(context: StepContext): Promise<void> {
  const { order, device, evidence, rng } = context;
  const customer = mandateGiver(order.verb) === 'customer';
  const giver = customer ? subscriberOf(device.kind) : CONTROLLING_AUTHORITY;
  evidence.mandate = await context.sign(giver, {
    mandate: order.verb,
    from: order.from,
    to: order.to,
    cutOverAt: order.cutOverAt,
    nonce: toHex(rng.bytes(NONCE_BYTES)),
  });
}

/**
 * The new supplier asks the market which metering point it is. The market answers when it answers; two hours
 * are its deadline, after which the switch of this meter cannot be prepared any more.
 */
export async function lookUp(context: StepContext): Promise<number | undefined> {
  const { evidence, market, order, endpoint, now } = context;
  const askedAt = evidence.lookUp?.askedAt ?? now();
  const deadlineAt = lookUpDeadline(askedAt);
  evidence.lookUp = { askedAt, deadlineAt };
  const answeredAt = market.answerAt(order, endpoint, askedAt);
  const dueAt = Math.min(answeredAt, deadlineAt);
  if (now() < dueAt) return dueAt;
  if (answeredAt > deadlineAt)
    throw provisioningError('SWITCH_LOOK_UP_TIMEOUT', 'the market did not answer within two hours');
  evidence.lookUp = { askedAt, deadlineAt, answeredAt };
  return undefined;
}

/**
 * The new supplier looks at the card: its certificate has to be the Controlling Authority's and name the card
 * of this very meter.
 */
export async function verifyCard(context: StepContext): Promise<void> {
  const { card, plan, custody, evidence, identity } = context;
  const certificate = await card.readCertificate('to', plan.management.authority);
  const root = await signingPoint(custody, CONTROLLING_AUTHORITY);
  const { subject } = verifyCertificate(certificate, root, dateOf(context.now()));
  if (!bytesEqual(subject, cardUniqueData(identity))) {
    throw provisioningError('SWITCH_CARD_SWAPPED', "the certificate on the card is another card's", {
      context: { subject: toHex(subject) },
    });
  }
  evidence.cardCertificate = toHex(certificate);
}

/** `YYYYMMDD`, as GlobalPlatform certificates write dates. */
export function dateOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10).replaceAll('-', '');
}
