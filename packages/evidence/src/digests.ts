import { createHash } from 'node:crypto';
import { canonicalJson } from './canonical.ts';
import type { ExchangeEvidence, Hop, MeterEvidence, SwitchEvidence } from './evidence.ts';

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

/** SHA-256, hexadecimal. */
export function sha256Hex(...parts: readonly (Uint8Array | string)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}

/**
 * The digest of one exchange: SHA-256 over length (four bytes, big-endian) and bytes of command and response.
 */
export function exchangeDigest(command: Uint8Array, response: Uint8Array): string {
  return sha256Hex(lengthOf(command), command, lengthOf(response), response);
}

/**
 * The end of a hop's chain of exchanges: each link is SHA-256 over the one before and the digest of an
 * exchange. The trusted service manager saw all of them, everybody else those that it began.
 */
export function hopChain(exchanges: readonly ExchangeEvidence[], hop: Hop): string {
  return exchanges
    .filter((exchange) => hop === 'tsm' || exchange.hop === hop)
    .reduce((link, { digest }) => sha256Hex(link, digest), '');
}

/** What recognises a bundle: SHA-256 over its switches. */
export function bundleRoot(switches: readonly SwitchEvidence[]): string {
  return sha256Hex(canonicalJson(switches));
}

/** What parties counter-sign: the digest of a meter's evidence without the counter-signatures. */
export function evidenceDigest(evidence: MeterEvidence): string {
  return sha256Hex(canonicalJson({ ...evidence, closing: [] }));
}

/**
 * The Merkle root over evidence in its order (as RFC 6962 §2.1 builds trees: leaves and nodes are told apart,
 * an odd one moves up).
 */
export function merkleRoot(meters: readonly MeterEvidence[]): string {
  let level = meters.map((meter) => createHash('sha256').update(LEAF).update(canonicalJson(meter)).digest());
  if (level.length === 0) return sha256Hex('');
  while (level.length > 1) {
    const next: typeof level = [];
    for (let i = 0; i < level.length; i += 2) {
      const [left, right] = [level[i], level[i + 1]];
      if (left === undefined) continue;
      next.push(
        right === undefined ? left : createHash('sha256').update(NODE).update(left).update(right).digest(),
      );
    }
    level = next;
  }
  return level[0]?.toString('hex') ?? '';
}

function lengthOf(bytes: Uint8Array): Uint8Array {
  return Uint8Array.of(bytes.length >>> 24, bytes.length >> 16, bytes.length >> 8, bytes.length);
}
