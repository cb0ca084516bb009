import type { Rng } from '@sefleet/runtime';
import type { PskKeyProvider } from '../credentials/key-providers.ts';
import { createSoftwarePsk } from '../credentials/software-psk.ts';
import type { DtlsServerSettings } from '../settings.ts';
import { whenReady } from './flow.ts';

/** The key for what a client claims to be. */
export interface FoundPsk {
  /** False: nobody has this identity, and `provider` holds a key that nobody has. */
  readonly known: boolean;
  readonly provider: PskKeyProvider;
}

/**
 * Looks a claimed identity up. For an unknown one the handshake goes on under a random key, so that it fails
 * like one with a wrong key (RFC 4279 §2).
 */
export function lookUpPsk(
  identity: string | undefined,
  settings: DtlsServerSettings,
  rng: Rng,
): FoundPsk | Promise<FoundPsk> {
  const found = identity === undefined ? undefined : settings.pskFor?.(identity);
  return whenReady(found, (provider) =>
    provider === undefined
      ? { known: false, provider: createSoftwarePsk('', rng.bytes(UNKNOWN_KEY_LENGTH)) }
      : { known: true, provider },
  );
}

/** RFC 4279 §5.1 wants UTF-8; anything else belongs to nobody. */
export function decodePskIdentity(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

const UNKNOWN_KEY_LENGTH = 16;
