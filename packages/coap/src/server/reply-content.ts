import { pushPath, sortedOptions } from '../codec/option-list.ts';
import { type CoapOption, uintOption } from '../codec/option.ts';
import { OPTION } from '../constants.ts';
import type { CoapReply } from '../response.ts';

const NO_OPTIONS: readonly CoapOption[] = [];

/** The options of a reply in ascending order, with the Observe number when it is a notification. */
export function replyOptions(reply: CoapReply, observe: number | undefined): readonly CoapOption[] {
  const { etag, locationPath, contentFormat, maxAgeSeconds, options: further } = reply;
  const options: CoapOption[] = [];
  if (etag !== undefined) options.push({ number: OPTION.ETAG, value: etag });
  if (observe !== undefined) options.push(uintOption(OPTION.OBSERVE, observe));
  if (locationPath !== undefined) pushPath(options, OPTION.LOCATION_PATH, locationPath);
  if (contentFormat !== undefined) options.push(formatOf(contentFormat));
  if (maxAgeSeconds !== undefined) options.push(uintOption(OPTION.MAX_AGE, maxAgeSeconds));
  if (further === undefined || further.length === 0) return options.length === 0 ? NO_OPTIONS : options;
  return sortedOptions([...options, ...further]);
}

/** One object for each of the formats below 16,384; the registry has a few hundred of them. */
const formats = new Map<number, CoapOption>();

function formatOf(format: number): CoapOption {
  const known = formats.get(format);
  if (known !== undefined) return known;
  const option = uintOption(OPTION.CONTENT_FORMAT, format);
  if (format < 16_384) formats.set(format, option);
  return option;
}
