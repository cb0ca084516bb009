/**
 * Accounts of stakeholders beside the one of whoever runs the network: a device reports to the server of the
 * stakeholder for whom a record was sealed. The PSK identity says whose account it is, and its key lies in an
 * applet of that stakeholder's Security Domain.
 */
const PREFIX = 'sp:';
const STAKEHOLDER = /^[a-z0-9][a-z0-9-]{0,62}$/;
const KEY_REFERENCE = /^se:(\d{1,3})(?:@([0-9a-f]{10,32}))?$/;

/** PSK identity of a stakeholder's account of a device: `sp:<stakeholder>:<endpoint>`. */
export function stakeholderIdentity(stakeholder: string, endpoint: string): string {
  return `${PREFIX}${stakeholder}:${endpoint}`;
}

/** What {@link stakeholderIdentity} was made of; undefined for every other identity. */
export function parseStakeholderIdentity(
  identity: string,
): { readonly stakeholder: string; readonly endpoint: string } | undefined {
  if (!identity.startsWith(PREFIX)) return undefined;
  const end = identity.indexOf(':', PREFIX.length);
  const stakeholder = identity.slice(PREFIX.length, end);
  const endpoint = identity.slice(end + 1);
  return end > 0 && STAKEHOLDER.test(stakeholder) && endpoint !== '' ? { stakeholder, endpoint } : undefined;
}

/** A key that an account refers to and that never leaves the card. */
export interface CardKeyReference {
  /** Container of the IoT SAFE applet. */
  readonly container: number;
  /** AID of the applet, lower-case hexadecimal; undefined: the device's own one. */
  readonly application?: string;
}

/** What stands in object 0 in place of a key that is in the card: `se:<container>[@<AID>]`. */
export function cardKeyReference({ container, application }: CardKeyReference): Uint8Array {
  const place = application === undefined ? '' : `@${application}`;
  return Uint8Array.from(Buffer.from(`se:${container}${place}`, 'latin1'));
}

/** The reference that a secret key is; undefined when it is a key. */
export function parseCardKeyReference(secret: Uint8Array): CardKeyReference | undefined {
  const [, container, application] = KEY_REFERENCE.exec(Buffer.from(secret).toString('latin1')) ?? [];
  if (container === undefined) return undefined;
  return { container: Number(container), ...(application === undefined ? {} : { application }) };
}
