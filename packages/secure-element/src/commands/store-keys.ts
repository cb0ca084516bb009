import { bytesEqual } from '@sefleet/bytes';
import { decodeTlvs, findTlv, KEY_DGI, requireTlv, STATUS_WORD } from '@sefleet/globalplatform';
import type { Dgi } from '@sefleet/globalplatform';
import type { Answer } from '../applets/applet.ts';
import type { Key, SecurityDomain } from '../card/card-state.ts';
import { refuse } from '../card/refusal.ts';
import { isKeyLength } from '../registry/key-length.ts';
import { NO_DATA, requireSession } from './command-context.ts';
import type { CommandContext } from './command-context.ts';
import { decryptKeyValue, goOnUnderOwnKeys, keyCheckValue, storeKeys } from './put-key.ts';

interface KeySlot {
  readonly id: number;
  readonly checkValue: Uint8Array | undefined;
}

interface KeyDescription {
  readonly type: number;
  readonly length: number;
  readonly version: number;
  readonly slots: readonly KeySlot[];
}

/**
 * Data groupings for a Security Domain: a key description, then one key grouping for each key that it names.
 */
export function storeKeyGroupings(
  context: CommandContext,
  domain: SecurityDomain,
  dgis: readonly Dgi[],
): Answer {
  const { dek } = requireSession(context).messaging.keys;
  const [head, ...rest] = dgis;
  if (head?.id !== KEY_DGI.DESCRIPTION) return refuse(STATUS_WORD.WRONG_DATA);
  const description = readDescription(head.data);
  if (rest.length !== description.slots.length) return refuse(STATUS_WORD.WRONG_DATA);
  const keys = rest.map((dgi, i) => readKey(dgi, description, description.slots[i], dek));
  const existing = domain.keySets.some((set) => set.version === description.version);
  storeKeys(
    context,
    domain,
    { oldVersion: existing ? description.version : 0, newVersion: description.version },
    keys,
  );
  goOnUnderOwnKeys(context, domain.aid);
  return NO_DATA;
}

function readDescription(data: Uint8Array): KeyDescription {
  const objects = decodeTlvs(data);
  const common = decodeTlvs(requireTlv(objects, 0xb7));
  const slots = objects
    .filter((object) => object.tag === 0xb9)
    .map((object) => {
      const fields = decodeTlvs(object.value);
      return { id: requireTlv(fields, 0x82)[0] ?? 0, checkValue: findTlv(fields, 0x84) };
    });
  return {
    type: requireTlv(common, 0x80)[0] ?? 0,
    length: requireTlv(common, 0x81)[0] ?? 0,
    version: requireTlv(common, 0x83)[0] ?? 0,
    slots,
  };
}

function readKey(dgi: Dgi, description: KeyDescription, slot: KeySlot | undefined, dek: Uint8Array): Key {
  if (dgi.id !== KEY_DGI.SYMMETRIC_KEY || slot === undefined) return refuse(STATUS_WORD.WRONG_DATA);
  const { type, length } = description;
  const value = decryptKeyValue(dgi.data, dek).slice(0, length);
  const key = { id: slot.id, type, value };
  if (value.length !== length || !isKeyLength(type, length)) return refuse(STATUS_WORD.WRONG_DATA);
  if (slot.checkValue !== undefined && !bytesEqual(slot.checkValue, keyCheckValue(key))) {
    return refuse(STATUS_WORD.WRONG_DATA);
  }
  return key;
}
