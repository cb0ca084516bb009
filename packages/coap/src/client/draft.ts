import { sortedOptions, pushPath, textOption } from '../codec/option-list.ts';
import { type CoapOption, uintOption } from '../codec/option.ts';
import { bodyBytes } from '../codec/parts.ts';
import { METHOD, OPTION } from '../constants.ts';
import { coapError } from '../errors.ts';
import type { CoapRequestInit } from '../request.ts';
import type { OutgoingRequest } from './client-exchange.ts';

/** The options and the body of a request, before it is cut into blocks. */
export function draftRequest(init: CoapRequestInit): OutgoingRequest {
  return {
    code: METHOD[init.method],
    options: requestOptions(init),
    payload: bodyBytes(init.payload),
    confirmable: init.confirmable ?? true,
    noResponse: init.noResponse ?? 0,
  };
}

function requestOptions(init: CoapRequestInit): readonly CoapOption[] {
  const options: CoapOption[] = [];
  if (init.host !== undefined) options.push(textOption(OPTION.URI_HOST, init.host));
  if (init.path !== undefined) pushPath(options, OPTION.URI_PATH, init.path);
  if (init.contentFormat !== undefined) options.push(formatOption(OPTION.CONTENT_FORMAT, init.contentFormat));
  if (init.query !== undefined) {
    for (const item of init.query) options.push(textOption(OPTION.URI_QUERY, item));
  }
  if (init.accept !== undefined) options.push(formatOption(OPTION.ACCEPT, init.accept));
  if (init.noResponse !== undefined && init.noResponse !== 0) {
    options.push(uintOption(OPTION.NO_RESPONSE, init.noResponse));
  }
  return init.options === undefined ? options : sortedOptions([...options, ...init.options]);
}

/** Content formats are 16-bit numbers (RFC 7252 §5.10.3). */
function formatOption(number: number, format: number): CoapOption {
  if (Number.isInteger(format) && format >= 0 && format <= 0xffff) return uintOption(number, format);
  throw coapError('COAP_ARGUMENT_INVALID', `${format} is no content format: 0 to 65535`);
}
