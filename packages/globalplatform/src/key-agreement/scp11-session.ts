import { createECDH } from 'node:crypto';
import type { ECDH } from 'node:crypto';
import { concatBytes, constantTimeEqual } from '@sefleet/bytes';
import type { Rng } from '@sefleet/runtime';
import { classForChannel } from '../apdu/class-byte.ts';
import { gpCommand, INS } from '../content/command.ts';
import { globalPlatformError } from '../errors.ts';
import { SecureChannelSession } from '../secure-channel/secure-channel-session.ts';
import { SecureMessaging } from '../secure-channel/secure-messaging.ts';
import { exchange, expectStatus } from '../secure-channel/transmit.ts';
import type { CardLink, Trace, Transmit } from '../secure-channel/transmit.ts';
import { decodeTlvs, encodeTlv, requireTlv } from '../tlv/ber-tlv.ts';
import { deriveScp11, encodeScp11Parameters } from './scp11.ts';
import type { Scp11Keys, Scp11Parameters, Scp11Variant } from './scp11.ts';

/** How to open an SCP11 session. */
export interface Scp11Options {
  readonly transmit: Transmit;
  readonly variant: Scp11Variant;
  /** The card's static public key, from its certificate, verified by the caller. */
  readonly cardPoint: Uint8Array;
  /** Version and identifier of the card's private key. */
  readonly keyVersion: number;
  readonly keyId: number;
  /** The host's certified key, for variants a and c. */
  readonly host?: {
    /** 32 bytes. */
    readonly privateScalar: Uint8Array;
    /** Certificates (7F21), from the one that the card's authority key signed down to the host's own. */
    readonly certificates: readonly Uint8Array[];
    /** Version and identifier of the authority's public key on the card. */
    readonly authorityKeyVersion: number;
    readonly authorityKeyId: number;
  };
  /** Default 0x33. */
  readonly level?: 0x11 | 0x33;
  readonly keyLength?: 16 | 24 | 32;
  readonly macLength?: 8 | 16;
  readonly rng: Rng;
  readonly channel?: number;
  readonly trace?: Trace;
}

const MORE = 0x80;
const SCALAR_LENGTH = 32;

/**
 * Opens an SCP11 session with the Security Domain that is selected (GPC_SPE_093 §5).
 *
 * @throws SefleetError `GP_CARD_NOT_AUTHENTIC` when the receipt is wrong: the card does not have the private
 * key of
 *   `cardPoint`; `GP_KEY_INVALID` when a variant with a host certificate has none; `GP_STATUS_WORD` when it
 *   refuses.
 */
export async function openScp11Session(options: Scp11Options): Promise<SecureChannelSession> {
  const { transmit, variant, host, trace, channel = 0, level = 0x33, keyLength = 16 } = options;
  if ((host === undefined) !== (variant === 'b')) {
    throw globalPlatformError(
      'GP_KEY_INVALID',
      'variants a and c need a certified host key, variant b takes none',
    );
  }
  const link: CardLink = {
    transmit: (command) => {
      const onChannel = { ...command, cla: classForChannel(command.cla, channel) };
      return exchange(transmit, onChannel, onChannel, trace);
    },
  };
  if (host !== undefined) await presentCertificates(link, host);
  const parameters: Scp11Parameters = { variant, level, keyLength };
  const template = encodeScp11Parameters(parameters);
  const ephemeral = ecdhOf(options.rng.bytes(SCALAR_LENGTH));
  const hostPoint = Uint8Array.from(ephemeral.getPublicKey());
  const ins = variant === 'b' ? INS.INTERNAL_AUTHENTICATE : INS.EXTERNAL_AUTHENTICATE;
  const data = concatBytes(template, encodeTlv(0x5f49, hostPoint));
  const request = gpCommand(ins, options.keyVersion, options.keyId, data);
  const answer = await expectStatus(link, request, 'SCP11 authentication');
  const objects = decodeTlvs(answer.data);
  const cardPoint = requireTlv(objects, 0x5f49);
  const keys = deriveKeys(ephemeral, options, cardPoint, (ephemeralSecret, staticSecret) =>
    deriveScp11(ephemeralSecret, staticSecret, parameters, { template, hostPoint, cardPoint }),
  );
  if (!constantTimeEqual(keys.receipt, requireTlv(objects, 0x86))) {
    throw globalPlatformError('GP_CARD_NOT_AUTHENTIC', 'the SCP11 receipt does not verify', {
      context: { variant, keyVersion: options.keyVersion, keyId: options.keyId },
    });
  }
  const messaging = new SecureMessaging(keys.session, options.macLength ?? 8, level, keys.receipt);
  return new SecureChannelSession({ transmit, messaging, channel, keyVersion: options.keyVersion, trace });
}

async function presentCertificates(link: CardLink, host: NonNullable<Scp11Options['host']>): Promise<void> {
  const last = host.certificates.length - 1;
  for (const [i, certificate] of host.certificates.entries()) {
    const p2 = host.authorityKeyId | (i === last ? 0 : MORE);
    const command = gpCommand(INS.PERFORM_SECURITY_OPERATION, host.authorityKeyVersion, p2, certificate);
    await expectStatus(link, command, 'PERFORM SECURITY OPERATION');
  }
}

/** A point that is on no curve, from a card that sends one, is an inauthentic card. */
function deriveKeys(
  ephemeral: ECDH,
  options: Scp11Options,
  cardPoint: Uint8Array,
  derive: (ephemeralSecret: Uint8Array, staticSecret: Uint8Array) => Scp11Keys,
): Scp11Keys {
  try {
    const own = options.host === undefined ? ephemeral : ecdhOf(options.host.privateScalar);
    return derive(ephemeral.computeSecret(cardPoint), own.computeSecret(options.cardPoint));
  } catch (cause) {
    throw globalPlatformError('GP_CARD_NOT_AUTHENTIC', 'a public key of the card is no point of the curve', {
      cause,
    });
  }
}

function ecdhOf(scalar: Uint8Array): ECDH {
  const ecdh = createECDH('prime256v1');
  ecdh.setPrivateKey(scalar);
  return ecdh;
}
