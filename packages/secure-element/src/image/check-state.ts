import type { Aid } from '@sefleet/globalplatform';
import type { CardState, Entry } from '../card/card-state.ts';
import { secureElementError } from '../errors.ts';
import { isKeyLength } from '../registry/key-length.ts';
import { MAX_HIERARCHY_DEPTH } from '../registry/registry.ts';

/**
 * What every command takes for granted of the memory: one issuer at the root of everything, AIDs that are
 * there once, keys of lengths that their types have.
 *
 * @throws SefleetError `SE_IMAGE_MALFORMED`.
 */
export function checkState(state: CardState): void {
  const { entries, loadFiles } = state;
  const [issuer] = entries;
  if (issuer?.kind !== 'security-domain' || issuer.parent !== issuer.aid) throw malformed('it has no issuer');
  const known = new Map<Aid, Entry>(entries.map((entry) => [entry.aid, entry]));
  const names = new Set([...known.keys(), ...loadFiles.map(({ aid }) => aid)]);
  if (names.size !== entries.length + loadFiles.length) throw malformed('an AID is there more than once');
  for (const item of [...entries, ...loadFiles]) {
    if (!reaches(known, item.parent, issuer.aid)) throw malformed(`${item.aid} belongs to no domain`);
  }
  for (const entry of entries) {
    const sets = entry.kind === 'security-domain' ? entry.keySets : [];
    if (!sets.every(({ keys }) => keys.every(({ type, value }) => isKeyLength(type, value.length)))) {
      throw malformed(`${entry.aid} has a key of a length that its type does not have`);
    }
  }
}

/** True when `domain` is the issuer or hangs below it, no deeper than domains may. */
function reaches(known: ReadonlyMap<Aid, Entry>, domain: Aid, issuer: Aid): boolean {
  let at = known.get(domain);
  for (let depth = 0; depth < MAX_HIERARCHY_DEPTH && at?.kind === 'security-domain'; depth++) {
    if (at.aid === issuer) return true;
    at = known.get(at.parent);
  }
  return false;
}

function malformed(message: string) {
  return secureElementError('SE_IMAGE_MALFORMED', `the image is of no card: ${message}`);
}
