import { X509Certificate } from 'node:crypto';
import { bytesEqual } from '@sefleet/bytes';
import {
  createSoftwarePsk,
  createX509Trust,
  type CipherSuiteName,
  type DtlsClientSettings,
  type PeerTrust,
} from '@sefleet/dtls';
import { SECURITY_MODE, SECURITY_RESOURCE, type SecurityAccount } from '@sefleet/lwm2m';
import { parseCardKeyReference, type CardKeyReference, type ConnectRequest } from '@sefleet/lwm2m-coap';
import type { Clock, Runtime } from '@sefleet/runtime';
import type { StreamTls } from '@sefleet/runtime/node';
import { simulationError } from '../errors.ts';
import { createSessionCredential } from '../telemetry/session-certificate.ts';
import type { DeviceCard } from './device-card.ts';

/** Values of Certificate Usage, resource 15 of a Security account (Core appendix E.1). */
const CERTIFICATE_USAGE = { CA: 0, SERVICE: 1, TRUST_ANCHOR: 2, DOMAIN_ISSUED: 3 } as const;

/** What credentials are made of, beside the account. */
export interface CredentialSources {
  readonly clock: Pick<Clock, 'wallMs'>;
  readonly card: DeviceCard | undefined;
  /** For accounts with a pre-shared key, in order of preference. */
  readonly pskCipherSuites: readonly CipherSuiteName[];
}

/**
 * How a device proves itself to the server of an account, and what it demands of the server: with a
 * pre-shared key, a raw public key or a certificate. Keys that the account refers to stay in the card, which
 * computes with them.
 *
 * @throws SefleetError `SIM_ACCOUNT_UNUSABLE`
 */
export function credentialsOf(
  { account, tree }: Pick<ConnectRequest, 'account' | 'tree'>,
  sources: CredentialSources,
): DtlsClientSettings {
  const secret = tree.instance(0, account.instanceId)?.get(SECURITY_RESOURCE.SECRET_KEY);
  if (!(secret instanceof Uint8Array)) throw unusable(account, 'it has no secret key');
  const held = parseCardKeyReference(secret);
  switch (account.mode) {
    case SECURITY_MODE.PSK: {
      const identity = Buffer.from(account.publicKeyOrIdentity).toString('utf8');
      const psk =
        held === undefined
          ? createSoftwarePsk(identity, secret)
          : cardOf(sources.card, account).psk(identity, held);
      return { psk, cipherSuites: sources.pskCipherSuites };
    }
    case SECURITY_MODE.RPK: {
      const sign = signerOf(sources.card, account, held);
      return {
        signingKey: { subjectPublicKeyInfo: account.publicKeyOrIdentity, sign: whenDone(sources.card, sign) },
        trust: { rawPublicKey: (key) => bytesEqual(key, account.serverPublicKey) },
      };
    }
    case SECURITY_MODE.X509: {
      const sign = signerOf(sources.card, account, held);
      return {
        signingKey: { certificateChain: [account.publicKeyOrIdentity], sign: whenDone(sources.card, sign) },
        trust: trustOf(account, sources.clock),
        ...(account.sni === undefined ? {} : { serverName: account.sni }),
      };
    }
    default:
      throw unusable(account, 'its security mode is not offered');
  }
}

/**
 * How a device proves itself over TLS: the card issues a certificate for a key pair that lives as long as the
 * session (`telemetry/session-certificate`), since `node:tls` wants the bytes of a private key.
 *
 * @throws SefleetError `SIM_ACCOUNT_UNUSABLE`
 */
export function sessionTlsOf(
  { endpointName: endpoint, account, tree }: Pick<ConnectRequest, 'endpointName' | 'account' | 'tree'>,
  sources: {
    readonly runtime: Pick<Runtime, 'clock' | 'rng'>;
    readonly card: DeviceCard | undefined;
    readonly lifetimeMs: number;
  },
): StreamTls {
  if (account.mode !== SECURITY_MODE.X509) throw unusable(account, 'over TLS a device needs a certificate');
  const usage = account.certificateUsage;
  if (usage !== CERTIFICATE_USAGE.CA && usage !== CERTIFICATE_USAGE.TRUST_ANCHOR) {
    throw unusable(account, 'over TLS it has to name the authority of the server (certificate usage 0 or 2)');
  }
  const secret = tree.instance(0, account.instanceId)?.get(SECURITY_RESOURCE.SECRET_KEY);
  const held = secret instanceof Uint8Array ? parseCardKeyReference(secret) : undefined;
  const sign = signerOf(sources.card, account, held);
  const { clock, rng } = sources.runtime;
  const { certificateChainPem, privateKeyPem } = createSessionCredential({
    endpoint,
    certificateChain: [account.publicKeyOrIdentity],
    nowMs: clock.wallMs(),
    lifetimeMs: sources.lifetimeMs,
    rng,
    sign,
  });
  return {
    authority: pemOf(account),
    certificate: certificateChainPem,
    privateKey: privateKeyPem,
    ...(account.sni === undefined ? {} : { serverName: account.sni }),
  };
}

/** Private keys are never in an account: without a reference into the card there is nothing to sign with. */
function signerOf(
  known: DeviceCard | undefined,
  account: SecurityAccount,
  held: CardKeyReference | undefined,
): (message: Uint8Array) => Uint8Array {
  if (held === undefined) throw unusable(account, 'its private key is not in the card');
  const card = cardOf(known, account);
  return (message) => card.sign(held.container, message);
}

/** In a handshake the signature comes when the chip would have it. */
function whenDone(card: DeviceCard | undefined, sign: (message: Uint8Array) => Uint8Array) {
  return (message: Uint8Array): Uint8Array | Promise<Uint8Array> => {
    const signature = sign(message);
    return card === undefined ? signature : card.whenDone(signature);
  };
}

function cardOf(card: DeviceCard | undefined, account: SecurityAccount): DeviceCard {
  if (card === undefined) throw unusable(account, 'the device has no card');
  return card;
}

/** The server's very certificate, or one below the authority that the account names. */
function trustOf(account: SecurityAccount, clock: Pick<Clock, 'wallMs'>): PeerTrust {
  const { certificateUsage = CERTIFICATE_USAGE.DOMAIN_ISSUED, serverPublicKey } = account;
  const byAuthority =
    certificateUsage === CERTIFICATE_USAGE.CA || certificateUsage === CERTIFICATE_USAGE.TRUST_ANCHOR;
  // A certificate that is an anchor by itself is trusted as the server's own (Core §6.1.5, usages 1 and 3).
  const judge = createX509Trust({ anchors: [serverPublicKey], clock });
  return {
    x509: (chain, subject) => {
      const [own] = chain;
      const isExpected = own !== undefined && bytesEqual(own, serverPublicKey);
      if (!byAuthority && !isExpected) throw unusable(account, 'the server has another certificate');
      judge(chain, subject);
    },
  };
}

function pemOf(account: SecurityAccount): string {
  try {
    return new X509Certificate(account.serverPublicKey).toString();
  } catch (cause) {
    throw unusable(account, 'its authority is no certificate', cause);
  }
}

function unusable({ uri, mode }: SecurityAccount, why: string, cause?: unknown): Error {
  return simulationError('SIM_ACCOUNT_UNUSABLE', `the account of ${uri} cannot be used: ${why}`, {
    context: { uri, mode },
    cause,
  });
}
