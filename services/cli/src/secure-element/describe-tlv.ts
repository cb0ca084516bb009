import { decodeTlvs, tagName, type Tlv } from '@sefleet/globalplatform';
import { isSefleetError } from '@sefleet/errors';
import { hexText } from './hex-text.ts';

const MAX_DEPTH = 6;
const CONSTRUCTED = 0x20;

/**
 * Data objects as a tree, a line each, those inside of others further in; undefined when `data` are not
 * wholly BER-TLV.
 */
export function explainTlvs(data: Uint8Array, depth = 0): readonly string[] | undefined {
  const objects = tryDecode(data);
  if (objects === undefined || objects.length === 0) return undefined;
  return objects.flatMap(({ tag, value }) => {
    const line = `${'  '.repeat(depth)}${tagName(tag)}`;
    const isConstructed = (Number.parseInt(tagName(tag).slice(0, 2), 16) & CONSTRUCTED) !== 0;
    const inner = isConstructed && depth < MAX_DEPTH ? explainTlvs(value, depth + 1) : undefined;
    return inner === undefined ? [`${line} ${hexText(value)}`.trimEnd()] : [line, ...inner];
  });
}

function tryDecode(data: Uint8Array): readonly Tlv[] | undefined {
  try {
    return decodeTlvs(data);
  } catch (error) {
    if (isSefleetError(error)) return undefined;
    throw error;
  }
}
