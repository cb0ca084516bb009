import { isUtf8 } from 'node:buffer';
import { encodeRecordKeyId, RECORD_KEY_BYTES } from '@sefleet/cose';
import {
  aesCbcDecrypt,
  aid,
  decodeTlvs,
  requireTlv,
  splitSymmetricValue,
  STATUS_WORD,
  ZERO_BLOCK,
} from '@sefleet/globalplatform';
import type { Dgi } from '@sefleet/globalplatform';
import {
  ACCOUNT_DGI,
  ACTIVATION_BYTES,
  GRANT_TAG,
  MEASURING_TAG,
} from '../applets/measuring/measuring-protocol.ts';
import type { Answer } from '../applets/applet.ts';
import type { RecordAccount, RecordGrant, SecurityDomain } from '../card/card-state.ts';
import { orRefuse, refuse } from '../card/refusal.ts';
import { checkMemory } from '../registry/memory.ts';
import { NO_DATA, requireSession } from './command-context.ts';
import type { CommandContext } from './command-context.ts';

const MAX_ENDPOINT_BYTES = 200;
const MAX_PARAMETER_BYTES = 512;
const TIME_BYTES = 8;
const SEQUENCE_BYTES = 6;

/** True for the data groupings of a record account. */
export function isRecordAccount(dgis: readonly Dgi[]): boolean {
  return dgis[0]?.id === ACCOUNT_DGI.OWNER;
}

/**
 * Stores the record account of a domain: all of it, or nothing, since a new key without a version would seal
 * under the wrong name. Only the domain's own keys may do that: an account that a domain above had put into
 * a fresh one would let that one make records in the name of whoever comes later.
 */
export function storeRecordAccount(
  context: CommandContext,
  domain: SecurityDomain,
  dgis: readonly Dgi[],
): Answer {
  const session = requireSession(context);
  if (session.keyOwner !== domain.aid) refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  const [owner, wrapped, granted, ...rest] = dgis;
  if (owner === undefined || wrapped?.id !== ACCOUNT_DGI.RECORD_KEY || rest.length > 0) {
    return refuse(STATUS_WORD.WRONG_DATA);
  }
  if (granted !== undefined && granted.id !== ACCOUNT_DGI.GRANT) refuse(STATUS_WORD.WRONG_DATA);
  const recordKey = readKey(wrapped.data, session.messaging.keys.dek);
  const account: RecordAccount = {
    ...readOwner(owner.data),
    recordKey,
    // Nonces are made of the sequence, so it goes on whatever the key: an old key may come back.
    sequence: Math.max(domain.account?.sequence ?? 0, readFloor(owner.data)),
    firstSequence: 0,
    closed: false,
    grant: granted === undefined ? undefined : readGrant(granted.data),
  };
  context.tx.put({ ...domain, account });
  checkMemory(context.tx.state, context.card, domain.aid);
  return NO_DATA;
}

function readOwner(data: Uint8Array) {
  const objects = decodeTlvs(data);
  const endpoint = requireTlv(objects, MEASURING_TAG.ENDPOINT);
  const version = requireTlv(objects, MEASURING_TAG.KEY_VERSION);
  if (endpoint.length === 0 || endpoint.length > MAX_ENDPOINT_BYTES) refuse(STATUS_WORD.WRONG_DATA);
  if (!isUtf8(endpoint)) refuse(STATUS_WORD.WRONG_DATA);
  const text = new TextDecoder();
  const name = {
    stakeholder: text.decode(requireTlv(objects, MEASURING_TAG.STAKEHOLDER)),
    keyVersion: version.length > 4 ? 0 : version.reduce((sum, byte) => sum * 256 + byte, 0),
  };
  // What cannot stand in a record's header is refused here and not at the first record.
  encodeRecordKeyId(name);
  return { ...name, endpoint: text.decode(endpoint) };
}

/** The number that the owner wants numbers to follow; 0 when it names none. */
function readFloor(data: Uint8Array): number {
  const floor = decodeTlvs(data).find(({ tag }) => tag === MEASURING_TAG.SEQUENCE)?.value;
  if (floor === undefined) return 0;
  if (floor.length !== SEQUENCE_BYTES) return refuse(STATUS_WORD.WRONG_DATA);
  return floor.reduce((sum, byte) => sum * 256 + byte, 0);
}

function readKey(data: Uint8Array, dek: Uint8Array): Uint8Array {
  const { keyLength, ciphertext } = orRefuse(splitSymmetricValue(data), STATUS_WORD.WRONG_DATA);
  if (keyLength !== RECORD_KEY_BYTES || ciphertext.length !== RECORD_KEY_BYTES) {
    return refuse(STATUS_WORD.WRONG_DATA);
  }
  return Uint8Array.from(aesCbcDecrypt(dek, ZERO_BLOCK, ciphertext));
}

function readGrant(data: Uint8Array): RecordGrant {
  const objects = decodeTlvs(data);
  const instant = requireTlv(objects, GRANT_TAG.INSTANT);
  const activation = requireTlv(objects, GRANT_TAG.ACTIVATION);
  const parameters = objects.find(({ tag }) => tag === GRANT_TAG.PARAMETERS)?.value;
  const instantMs = instant.reduce((sum, byte) => sum * 256 + byte, 0);
  const isTime = instant.length === TIME_BYTES && Number.isSafeInteger(instantMs);
  if (!isTime || activation.length !== ACTIVATION_BYTES) return refuse(STATUS_WORD.WRONG_DATA);
  if (parameters !== undefined && parameters.length > MAX_PARAMETER_BYTES) refuse(STATUS_WORD.WRONG_DATA);
  return {
    application: aid(requireTlv(objects, GRANT_TAG.APPLICATION)),
    instantMs,
    activation: activation.slice(),
    parameters: parameters?.slice() ?? NO_DATA,
    active: false,
  };
}
