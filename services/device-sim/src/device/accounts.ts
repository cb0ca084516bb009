import {
  bootstrapWrite,
  CONTENT_FORMAT,
  decodeContent,
  encodeContent,
  Lwm2mPath,
  OBJECT_ID,
  readEntries,
  SECURITY_MODE,
  SECURITY_RESOURCE,
  type ObjectTree,
} from '@sefleet/lwm2m';
import { cardKeyReference } from '@sefleet/lwm2m-coap';
import type { DeviceIdentity } from '../store/fleet-store.ts';

/** Who the servers are, and what each of several may do. */
const ACCOUNT_OBJECTS = [OBJECT_ID.SECURITY, OBJECT_ID.SERVER, OBJECT_ID.ACCESS_CONTROL];

/** The account of the bootstrap server, which the device leaves the factory with. */
export function addFactoryAccount(tree: ObjectTree, identity: DeviceIdentity): void {
  tree.require(OBJECT_ID.SECURITY).add(0, [
    [SECURITY_RESOURCE.SERVER_URI, identity.bootstrapUri],
    [SECURITY_RESOURCE.BOOTSTRAP_SERVER, true],
    [SECURITY_RESOURCE.SECURITY_MODE, SECURITY_MODE.PSK],
    [
      SECURITY_RESOURCE.PUBLIC_KEY_OR_IDENTITY,
      Uint8Array.from(Buffer.from(identity.bootstrapPskIdentity, 'utf8')),
    ],
    [SECURITY_RESOURCE.SERVER_PUBLIC_KEY, new Uint8Array(0)],
    [SECURITY_RESOURCE.SECRET_KEY, cardKeyReference({ container: identity.bootstrapSecretId })],
  ]);
}

/** Objects 0, 1 and 2 as SenML JSON, to be kept: keys are references into the card. */
export function saveAccounts(tree: ObjectTree): string {
  const entries = ACCOUNT_OBJECTS.flatMap((id) => readEntries(tree, new Lwm2mPath(id), 'bootstrap'));
  return Buffer.from(encodeContent(CONTENT_FORMAT.SENML_JSON, Lwm2mPath.ROOT, entries, tree.models)).toString(
    'utf8',
  );
}

/** Brings back what {@link saveAccounts} gave. */
export function loadAccounts(tree: ObjectTree, saved: string): void {
  const entries = decodeContent(
    CONTENT_FORMAT.SENML_JSON,
    Lwm2mPath.ROOT,
    Buffer.from(saved, 'utf8'),
    tree.models,
  );
  for (const id of ACCOUNT_OBJECTS) {
    const own = entries.filter(({ path }) => path.objectId === id);
    if (own.length > 0) void bootstrapWrite(tree, new Lwm2mPath(id), own);
  }
}
