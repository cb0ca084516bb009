import { CODE, formatCoapUri } from '@sefleet/coap';
import { SECURITY_MODE, serverAccounts, type ObjectTree } from '@sefleet/lwm2m';
import { createCoapDownload, type Lwm2mTransport } from '@sefleet/lwm2m-coap';
import { simulationError } from '../errors.ts';

/**
 * Gets packages for a device: over `coap` from anywhere, since it is the signature that counts; over `coaps`
 * with the credentials of its management account.
 *
 * @returns a function that rejects with what connecting and downloading reject with
 */
export function createFirmwareSource(
  endpointName: string,
  tree: ObjectTree,
  transport: Lwm2mTransport,
): (uri: string, signal: AbortSignal) => Promise<Uint8Array> {
  return createCoapDownload((uri) => {
    const account = serverAccounts(tree)[0]?.security;
    if (account === undefined) {
      throw simulationError('SIM_ACCOUNT_UNUSABLE', 'without a management account nothing can be fetched');
    }
    const mode = uri.scheme === 'coap' ? SECURITY_MODE.NOSEC : account.mode;
    return transport.connect({
      endpointName,
      account: { ...account, mode, uri: formatCoapUri({ ...uri, path: [], query: [] }) },
      tree,
      // A repository has nothing to ask.
      handler: () => ({ code: CODE.NOT_FOUND }),
      lost: () => undefined,
    });
  });
}
