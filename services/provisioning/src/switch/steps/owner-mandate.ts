import { createPublicKey, verify } from 'node:crypto';
import { toHex } from '@sefleet/bytes';
import type { SignedStatement } from '@sefleet/evidence';
import { subscriberOf } from '../../domain/contract.ts';
import {
  checkMandateText,
  mandateText,
  refused,
  type MandatedAct,
} from '../../domain/switch/owner-mandate.ts';
import { partsOf } from '../../domain/switch/switch-order.ts';
import { cardUniqueData } from '../../manufacture/management-domains.ts';
import { signStatement, type StepContext } from '../step-context.ts';

const NONCE_BYTES = 16;
const DAY_MS = 86_400_000;

/**
 * The device's owner says that an insurer may come, or has to go. Nobody else can: without a mandate that is
 * the owner's, for this act on this card, in force, and not used before, no token is asked for.
 */
export async function takeOwnerMandate(context: StepContext): Promise<void> {
  const { evidence, device, custody, mandates, now } = context;
  const owner = subscriberOf(device.kind);
  const act = actOf(context);
  const given = evidence.mandate ?? (mandates === 'rehearsed' ? await askOwner(context, act) : undefined);
  if (given === undefined) throw refused('there is none');
  if (given.party !== owner) throw refused(`${given.party} is not the owner of the device`);
  const key = createPublicKey({
    key: Buffer.from(await custody.vault(owner).signingPublicKey()),
    format: 'der',
    type: 'spki',
  });
  const signature = Buffer.from(given.signature, 'base64');
  const isSigned = verify('sha256', Buffer.from(given.text), { key, dsaEncoding: 'ieee-p1363' }, signature);
  if (!isSigned) throw refused(`${owner} did not sign it`);
  const nonce = checkMandateText(given.text, act, now());
  if (!(await context.useMandate(owner, nonce))) throw refused('it was used before');
  evidence.mandate = given;
}

function actOf({ order, endpoint, identity }: StepContext): MandatedAct {
  const { comes, goes } = partsOf(order);
  return {
    mandate: comes === undefined ? 'remove' : 'add',
    insurer: comes ?? goes ?? order.to,
    endpoint,
    card: toHex(cardUniqueData(identity)),
    cutOverAt: order.cutOverAt,
  };
}

/** A rehearsal plays the owner too. */
async function askOwner(
  { custody, device, rng, now }: StepContext,
  { cutOverAt, ...act }: MandatedAct,
): Promise<SignedStatement> {
  const nonce = toHex(rng.bytes(NONCE_BYTES));
  const validFrom = Math.min(now(), cutOverAt);
  const text = mandateText({ ...act, validFrom, validUntil: cutOverAt + DAY_MS, nonce });
  return signStatement(custody, subscriberOf(device.kind), text);
}
