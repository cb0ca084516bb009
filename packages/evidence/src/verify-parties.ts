import { X509Certificate, type KeyObject } from 'node:crypto';
import { fromHex } from '@sefleet/bytes';
import type { EvidenceBundle } from './evidence.ts';

/** A party whose certificate is the authority's. */
export interface VerifiedParty {
  readonly name: string;
  readonly roles: ReadonlySet<string>;
  readonly key: KeyObject;
}

/**
 * The parties with certificates of the authority, and what is wrong with the others. A name or a key that two
 * have is nobody's: who signed could not be told.
 */
export function readParties({ authority, parties }: EvidenceBundle): {
  readonly parties: ReadonlyMap<string, VerifiedParty>;
  readonly problems: readonly string[];
} {
  const issuer = readCertificate(authority);
  const verified = new Map<string, VerifiedParty>();
  const problems: string[] = [];
  const keys = new Set<string>();
  for (const { name, roles, certificate } of parties) {
    const read = readCertificate(fromHex(certificate));
    const named = read?.subject.split('\n').includes(`CN=${name}`) === true;
    const print = read?.publicKey.export({ type: 'spki', format: 'der' }).toString('hex') ?? '';
    if (read === undefined || issuer === undefined || !named || !isIssuedBy(read, issuer))
      problems.push(`${name}: the certificate is not the authority's`);
    else if (verified.has(name) || keys.has(print))
      problems.push(`${name}: another party has this name or key`);
    else verified.set(name, { name, roles: new Set(roles), key: read.publicKey });
    keys.add(print);
  }
  return { parties: verified, problems };
}

/** A certificate, or undefined: what is none is reported as one that does not verify. */
export function readCertificate(certificate: string | Uint8Array): X509Certificate | undefined {
  try {
    return new X509Certificate(certificate);
  } catch {
    return undefined;
  }
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}
