import type { Peer } from '@sefleet/runtime';
import { type CoapOption, findStrings, findUint } from '../codec/option.ts';
import { type CoapMethod, OPTION } from '../constants.ts';
import type { IncomingMessage } from '../message/transport.ts';
import type { CoapRequest, ObserveRequest } from '../request.ts';

/** A request for the handler. What it says of its options is worked out when it is asked. */
export class ServedRequest implements CoapRequest {
  readonly peer: Peer;
  readonly method: CoapMethod;
  readonly options: readonly CoapOption[];
  readonly token: Uint8Array;
  readonly confirmable: boolean;
  payload: Uint8Array;
  observe: ObserveRequest | undefined;
  #segments: readonly string[] | undefined;
  #query: readonly string[] | undefined;

  constructor(incoming: IncomingMessage, method: CoapMethod, options: readonly CoapOption[]) {
    this.peer = incoming.peer;
    this.method = method;
    this.options = options;
    this.token = incoming.token;
    this.confirmable = incoming.confirmable;
    this.payload = incoming.payload;
  }

  get segments(): readonly string[] {
    this.#segments ??= findStrings(this.options, OPTION.URI_PATH);
    return this.#segments;
  }

  get path(): string {
    const { segments } = this;
    return segments.length === 1 ? `/${segments[0] ?? ''}` : `/${segments.join('/')}`;
  }

  get query(): readonly string[] {
    this.#query ??= findStrings(this.options, OPTION.URI_QUERY);
    return this.#query;
  }

  get contentFormat(): number | undefined {
    return findUint(this.options, OPTION.CONTENT_FORMAT);
  }

  get accept(): number | undefined {
    return findUint(this.options, OPTION.ACCEPT);
  }

  queryValue(name: string): string | undefined {
    for (const item of this.query) {
      if (item === name) return '';
      if (item.startsWith(name) && item[name.length] === '=') return item.slice(name.length + 1);
    }
    return undefined;
  }
}
