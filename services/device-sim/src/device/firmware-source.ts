import { CODE, formatCoapUri, parseCoapUri, type CoapUri } from '@sefleet/coap';
import { isSefleetError } from '@sefleet/errors';
import {
  OBJECT_ID,
  readSecurity,
  SECURITY_MODE,
  serverAccounts,
  type ObjectTree,
  type SecurityAccount,
} from '@sefleet/lwm2m';
import { createCoapDownload, type Lwm2mTransport } from '@sefleet/lwm2m-coap';
import { simulationError } from '../errors.ts';

/**
 * Gets packages for a device: without security from anywhere, since it is the signature that counts; else
 * with the Security instance that names the repository, or with the credentials of the management account
 * where none does.
 *
 * @returns a function that rejects with what connecting and downloading reject with
 */
export function createFirmwareSource(
  endpointName: string,
  tree: ObjectTree,
  transport: Lwm2mTransport,
): (uri: string, signal: AbortSignal) => Promise<Uint8Array> {
  return createCoapDownload((uri) =>
    transport.connect({
      endpointName,
      account: { ...accountFor(tree, uri), uri: formatCoapUri({ ...uri, path: [], query: [] }) },
      tree,
      // A repository has nothing to ask.
      handler: () => ({ code: CODE.NOT_FOUND }),
      lost: () => undefined,
    }),
  );
}

function accountFor(tree: ObjectTree, uri: CoapUri): SecurityAccount {
  const management = serverAccounts(tree)[0]?.security;
  if (management === undefined) {
    throw simulationError('SIM_ACCOUNT_UNUSABLE', 'without a management account nothing can be fetched');
  }
  if (uri.scheme === 'coap' || uri.scheme === 'coap+tcp') return { ...management, mode: SECURITY_MODE.NOSEC };
  const places = (tree.objects.get(OBJECT_ID.SECURITY)?.sorted() ?? []).flatMap((instance) => {
    const account = readSecurity(instance);
    const place = account === undefined ? undefined : placeOf(account.uri);
    const isUsable = account?.bootstrap === false && account.mode !== SECURITY_MODE.NOSEC;
    return isUsable && place?.host === uri.host ? [{ account, port: place.port }] : [];
  });
  // A server and a repository may share a host: the port tells them apart.
  const exact = places.find(({ port }) => port === uri.port);
  return (exact ?? places[0])?.account ?? management;
}

/** Where an account's server is; undefined when its URI is none. */
function placeOf(uri: string): CoapUri | undefined {
  try {
    return parseCoapUri(uri);
  } catch (error) {
    if (isSefleetError(error)) return undefined;
    throw error;
  }
}
