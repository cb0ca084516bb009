import { fromHex, toHex } from '@sefleet/bytes';
import { globalPlatformError } from './errors.ts';

/** An application identifier in lower-case hexadecimal, 5 to 16 bytes (ISO/IEC 7816-4 §8.2.1.2). */
export type Aid = string & { readonly brand: 'Aid' };

const MIN_AID_LENGTH = 5;
const MAX_AID_LENGTH = 16;

/**
 * An {@link Aid} from hexadecimal text or bytes.
 *
 * @throws SefleetError `GP_AID_INVALID` unless it has 5 to 16 bytes.
 * @example aid('A0000001510000')
 */
export function aid(value: string | Uint8Array): Aid {
  const text = typeof value === 'string' ? toHex(fromHex(value)) : toHex(value);
  if (text.length < 2 * MIN_AID_LENGTH || text.length > 2 * MAX_AID_LENGTH) {
    throw globalPlatformError('GP_AID_INVALID', `an AID has 5 to 16 bytes, not ${text.length / 2}`, {
      context: { aid: text },
    });
  }
  // The only place that makes the brand, after the check.
  return text as Aid;
}

/** The bytes of an AID. */
export function aidBytes(value: Aid): Uint8Array {
  return fromHex(value);
}
