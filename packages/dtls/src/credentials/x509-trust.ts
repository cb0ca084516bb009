import { X509Certificate } from 'node:crypto';
import { bytesEqual } from '@sefleet/bytes';
import type { SefleetError } from '@sefleet/errors';
import type { Clock } from '@sefleet/runtime';
import { dtlsError } from '../errors.ts';
import type { TrustSubject } from '../settings.ts';
import {
  ExtensionOid,
  KEY_USAGE_DIGITAL_SIGNATURE,
  readCertificateFacts,
  type CertificateFacts,
} from './certificate-extensions.ts';
import { readRevocationList, type RevocationList } from './revocation-list.ts';

/** Which check a chain failed: `context.reason` of `DTLS_CERTIFICATE_REFUSED`. */
export type CertificateRefusal =
  | 'malformed'
  | 'chainTooLong'
  | 'unknownCa'
  | 'notACa'
  | 'pathLength'
  | 'criticalExtension'
  | 'expired'
  | 'notYetValid'
  | 'keyUsage'
  | 'wrongName'
  | 'revoked'
  | 'revocationListStale'
  | 'revocationListMissing';

/** What {@link createX509Trust} trusts. */
export interface X509TrustOptions {
  /** DER certificates of the authorities, or of peers that are trusted by themselves. */
  readonly anchors: readonly Uint8Array[];
  /** DER revocation lists. To bring in newer ones, make a new trust. */
  readonly revocationLists?: readonly Uint8Array[];
  /** Refuses certificates whose issuer has no list here; default false. */
  readonly requireRevocationList?: boolean;
  readonly clock: Pick<Clock, 'wallMs'>;
}

/**
 * Validates chains as RFC 5280 §6.1 has it: each certificate signed by the next one up to an anchor, within
 * its time, made by a CA that may make it, not revoked; the first one meant for its role and, for servers,
 * carrying the asked name. Certificate policies and name constraints are not known: a chain that makes them
 * critical is refused.
 *
 * @returns a function for `PeerTrust.x509`; it throws `DTLS_CERTIFICATE_REFUSED`
 * @throws SefleetError `DTLS_SETTINGS` when an anchor or a list cannot be read
 */
export function createX509Trust(
  options: X509TrustOptions,
): (chain: readonly Uint8Array[], subject: TrustSubject) => void {
  const anchors = options.anchors.map((der) => readSetting('anchor', () => new X509Certificate(der)));
  const lists = (options.revocationLists ?? []).map((der) =>
    readSetting('revocation list', () => readRevocationList(der)),
  );
  return (chain, subject) => {
    const nowMs = options.clock.wallMs();
    const links = chain.map(readLink);
    const [own] = links;
    if (own === undefined || links.length > CHAIN_LENGTH_MAX)
      throw refuse('chainTooLong', 'too many certificates');
    checkPurpose(own, subject);
    for (const { link, issuer } of pathTo(anchors, links)) {
      checkTime(link.certificate, nowMs);
      if (issuer === undefined) continue;
      checkRevocation(link, issuer, lists, nowMs, options.requireRevocationList === true);
    }
  };
}

/**
 * Deeper hierarchies have no place on constrained links. RFC 7925 §4.4.1 advises against more than one
 * intermediate.
 */
const CHAIN_LENGTH_MAX = 8;

interface Link {
  readonly certificate: X509Certificate;
  readonly facts: CertificateFacts;
}

/** A certificate of the path; `issuer` is absent for one that is an anchor itself. */
interface Step {
  readonly link: Link;
  readonly issuer: X509Certificate | undefined;
}

/** Follows signatures from the first certificate up to an anchor. */
function pathTo(anchors: readonly X509Certificate[], links: readonly Link[]): readonly Step[] {
  const steps: Step[] = [];
  for (const [depth, link] of links.entries()) {
    checkExtensions(link);
    if (depth > 0) checkAuthority(link, depth);
    const { certificate } = link;
    if (anchors.some((anchor) => bytesEqual(anchor.raw, certificate.raw))) {
      return [...steps, { link, issuer: undefined }];
    }
    const anchor = anchors.find((candidate) => issued(candidate, certificate));
    if (anchor !== undefined) return [...steps, { link, issuer: anchor }];
    const issuer = links[depth + 1]?.certificate;
    if (issuer === undefined || !issued(issuer, certificate)) break;
    steps.push({ link, issuer });
  }
  throw refuse('unknownCa', 'the chain leads to no trusted authority');
}

function issued(issuer: X509Certificate, certificate: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && issuer.ca && certificate.verify(issuer.publicKey);
}

/**
 * RFC 5280 §6.1.4 (k) to (n): it may sign certificates, and as many below it. `ca` includes the key usage.
 */
function checkAuthority(link: Link, depth: number): void {
  if (!link.certificate.ca) throw refuse('notACa', 'a certificate of the chain is no authority');
  const { pathLength } = link.facts;
  if (pathLength !== undefined && depth - 1 > pathLength) {
    throw refuse('pathLength', 'more authorities follow than the path length allows');
  }
}

/** RFC 5280 §4.2: a critical extension that is not understood refuses the certificate. */
function checkExtensions(link: Link): void {
  const known: readonly string[] = Object.values(ExtensionOid);
  if (link.facts.criticalExtensions.some((oid) => !known.includes(oid))) {
    throw refuse('criticalExtension', 'a critical extension that is not understood');
  }
}

function checkTime(certificate: X509Certificate, nowMs: number): void {
  if (nowMs < certificate.validFromDate.getTime())
    throw refuse('notYetValid', 'a certificate is not valid yet');
  if (nowMs > certificate.validToDate.getTime()) throw refuse('expired', 'a certificate has expired');
}

/** RFC 5280 §4.2.1.3 and §4.2.1.12, RFC 6125 §6. */
function checkPurpose(link: Link, subject: TrustSubject): void {
  const { certificate, facts } = link;
  if (facts.keyUsage !== undefined && (facts.keyUsage & KEY_USAGE_DIGITAL_SIGNATURE) === 0) {
    throw refuse('keyUsage', 'the key may not sign');
  }
  // node:crypto calls the extended key usage so.
  const purposes: readonly string[] | undefined = certificate.keyUsage;
  const wanted = subject.role === 'server' ? PURPOSE_SERVER : PURPOSE_CLIENT;
  if (purposes !== undefined && !purposes.includes(wanted) && !purposes.includes(PURPOSE_ANY)) {
    throw refuse('keyUsage', `the certificate is not for a ${subject.role}`);
  }
  if (subject.serverName !== undefined && certificate.checkHost(subject.serverName) === undefined) {
    throw refuse('wrongName', 'the certificate is for another name', { serverName: subject.serverName });
  }
}

function checkRevocation(
  link: Link,
  issuer: X509Certificate,
  lists: readonly RevocationList[],
  nowMs: number,
  isRequired: boolean,
): void {
  const { facts } = link;
  const list = lists.find((entry) => entry.issuer === facts.issuer && entry.signedBy(issuer.publicKey));
  if (list === undefined) {
    if (isRequired) throw refuse('revocationListMissing', 'no revocation list of the issuer');
    return;
  }
  if (list.revoked.has(facts.serialNumber)) throw refuse('revoked', 'a certificate is revoked');
  // A list out of date may hide a revocation: better no session than a wrong one.
  if (nowMs < list.thisUpdateMs || (list.nextUpdateMs !== undefined && nowMs > list.nextUpdateMs)) {
    throw refuse('revocationListStale', 'the revocation list is out of date');
  }
}

const PURPOSE_SERVER = '1.3.6.1.5.5.7.3.1';
const PURPOSE_CLIENT = '1.3.6.1.5.5.7.3.2';
const PURPOSE_ANY = '2.5.29.37.0';

function readLink(der: Uint8Array): Link {
  try {
    return { certificate: new X509Certificate(der), facts: readCertificateFacts(der) };
  } catch (cause) {
    throw refuse('malformed', 'a certificate cannot be read', {}, cause);
  }
}

function readSetting<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw dtlsError('DTLS_SETTINGS', `the ${what} cannot be read`, { cause, hint: 'it has to be DER' });
  }
}

function refuse(
  reason: CertificateRefusal,
  message: string,
  context: Readonly<Record<string, unknown>> = {},
  cause?: unknown,
): SefleetError {
  const options = { context: { reason, ...context } };
  return dtlsError(
    'DTLS_CERTIFICATE_REFUSED',
    message,
    cause === undefined ? options : { ...options, cause },
  );
}
