import { createHash } from 'node:crypto';
import type { PeerIdentity } from '@sefleet/runtime';

/**
 * What a channel has proven, as one line of text: `psk:meter-1`, `rpk:` and the SHA-256 of the key,
 * `x509:` and the common name, or `none`. Two peers with the same name hold the same credential.
 */
export function credentialName(identity: PeerIdentity): string {
  switch (identity.kind) {
    case 'psk':
      return `psk:${identity.identity}`;
    case 'rpk':
      return `rpk:${createHash('sha256').update(identity.subjectPublicKeyInfo).digest('hex')}`;
    case 'x509':
      return `x509:${identity.commonName}`;
    case 'none':
      return 'none';
  }
}
