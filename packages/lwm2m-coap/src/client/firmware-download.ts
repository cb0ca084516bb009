import { CODE, parseCoapUri } from '@sefleet/coap';
import type { CoapEndpoint, CoapUri } from '@sefleet/coap';
import type { Peer } from '@sefleet/runtime';
import { clientError } from './errors.ts';

/** A conversation with a firmware repository. */
export interface RepositoryConnection {
  readonly endpoint: CoapEndpoint;
  readonly peer: Peer;
  close(): Promise<void>;
}

/**
 * Makes the `download` of firmware hooks for `coap` and `coaps` URIs: one GET, blockwise as the repository
 * serves it (Core appendix E.6, Package URI). The endpoint's `limits.maxBodyBytes` bounds the package.
 *
 * @param open connects to the repository of a URI, with the security that its scheme asks for
 * @returns a function that resolves with the package; rejects with `LWM2M_DOWNLOAD_FAILED` when the
 * repository
 *   refuses, and with what `open` and CoAP reject with
 * @example firmwareUpdateObject(models, { ...hooks, download: (device, uri, signal) => download(uri, signal)
 * })
 */
export function createCoapDownload(
  open: (uri: CoapUri) => Promise<RepositoryConnection>,
): (uri: string, signal: AbortSignal) => Promise<Uint8Array> {
  return async (text, signal) => {
    const uri = parseCoapUri(text);
    const connection = await open(uri);
    try {
      const response = await connection.endpoint.request(connection.peer, {
        method: 'GET',
        path: uri.path,
        query: uri.query,
        signal,
      });
      if (response.code === CODE.CONTENT) return response.payload;
      throw clientError('LWM2M_DOWNLOAD_FAILED', 'the repository refuses the package', {
        context: { uri: text, code: response.code },
      });
    } finally {
      await connection.close();
    }
  };
}
