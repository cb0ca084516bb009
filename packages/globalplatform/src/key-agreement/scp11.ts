import { concatBytes } from '@sefleet/bytes';
import { aesCmac } from '../crypto/aes-cmac.ts';
import { deriveX963 } from '../crypto/key-derivation.ts';
import { KEY_TYPE } from '../content/put-key.ts';
import type { SessionKeys } from '../secure-channel/scp03-keys.ts';
import type { SecurityLevel } from '../secure-channel/security-level.ts';
import { decodeTlvs, encodeTlv, findTlv } from '../tlv/ber-tlv.ts';

/** The variants: `a` both sides certified, `b` only the card, `c` both with the card's static key alone. */
export type Scp11Variant = 'a' | 'b' | 'c';

/** What both sides agree on before the keys: the control reference template A6. */
export interface Scp11Parameters {
  readonly variant: Scp11Variant;
  /** 0x33, or 0x11 for MACs without encryption. */
  readonly level: SecurityLevel;
  /** AES key length in bytes. */
  readonly keyLength: 16 | 24 | 32;
}

/** Session keys and the receipt, which is also the first MAC chaining value (GPC_SPE_093 §6.2). */
export interface Scp11Keys {
  readonly session: SessionKeys;
  readonly receipt: Uint8Array;
}

const VARIANT_PARAMETER: Readonly<Record<Scp11Variant, number>> = { a: 0x01, b: 0x00, c: 0x03 };
/** Key usage qualifier (tag 95) and the security level that it stands for. */
const USAGE_ALL = 0x3c;
const USAGE_MAC = 0x34;
const SCP11 = 0x11;

/** The A6 template of an authentication command. */
export function encodeScp11Parameters(parameters: Scp11Parameters): Uint8Array {
  return encodeTlv(
    0xa6,
    encodeTlv(0x90, Uint8Array.of(SCP11, VARIANT_PARAMETER[parameters.variant])),
    encodeTlv(0x95, Uint8Array.of(usageOf(parameters))),
    encodeTlv(0x80, Uint8Array.of(KEY_TYPE.AES)),
    encodeTlv(0x81, Uint8Array.of(parameters.keyLength)),
  );
}

/**
 * Reads an authentication command's data: parameters, template and ephemeral point; undefined when it is
 * none.
 */
export function decodeScp11Request(
  data: Uint8Array,
):
  | { readonly parameters: Scp11Parameters; readonly template: Uint8Array; readonly point: Uint8Array }
  | undefined {
  const objects = decodeTlvs(data);
  const body = findTlv(objects, 0xa6);
  const point = findTlv(objects, 0x5f49);
  if (body === undefined || point === undefined || objects.length !== 2) return undefined;
  const fields = decodeTlvs(body);
  const [protocol, parameter] = findTlv(fields, 0x90) ?? [];
  const variant = (['a', 'b', 'c'] as const).find((name) => VARIANT_PARAMETER[name] === parameter);
  const usage = findTlv(fields, 0x95)?.[0];
  const keyLength = findTlv(fields, 0x81)?.[0];
  const known = protocol === SCP11 && findTlv(fields, 0x80)?.[0] === KEY_TYPE.AES;
  if (!known || variant === undefined || (usage !== USAGE_ALL && usage !== USAGE_MAC)) return undefined;
  if (keyLength !== 16 && keyLength !== 24 && keyLength !== 32) return undefined;
  const level = usage === USAGE_ALL ? 0x33 : 0x11;
  return { parameters: { variant, level, keyLength }, template: encodeTlv(0xa6, body), point };
}

/**
 * The keys of a session, the same on both sides (GPC_SPE_093 §6.3).
 *
 * @param ephemeralSecret ECDH of both ephemeral keys (the card's static one in variant c).
 * @param staticSecret ECDH of the off-card key (static in a and c, ephemeral in b) and the card's static one.
 * @param template The A6 template, `hostPoint` and `cardPoint` as they travelled.
 */
export function deriveScp11(
  ephemeralSecret: Uint8Array,
  staticSecret: Uint8Array,
  parameters: Scp11Parameters,
  exchanged: {
    readonly template: Uint8Array;
    readonly hostPoint: Uint8Array;
    readonly cardPoint: Uint8Array;
  },
): Scp11Keys {
  const { keyLength } = parameters;
  const sharedInfo = Uint8Array.of(usageOf(parameters), KEY_TYPE.AES, keyLength);
  const output = deriveX963(concatBytes(ephemeralSecret, staticSecret), sharedInfo, 5 * keyLength);
  const key = (i: number): Uint8Array => output.slice(i * keyLength, (i + 1) * keyLength);
  const receipt = aesCmac(
    key(0),
    exchanged.template,
    encodeTlv(0x5f49, exchanged.hostPoint),
    encodeTlv(0x5f49, exchanged.cardPoint),
  );
  return { session: { enc: key(1), mac: key(2), rmac: key(3), dek: key(4) }, receipt };
}

function usageOf({ level }: Scp11Parameters): number {
  return level === 0x33 ? USAGE_ALL : USAGE_MAC;
}
