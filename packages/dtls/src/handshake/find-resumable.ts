import type { ClientHello } from '../codec/hello.ts';
import { insufficient } from '../errors.ts';
import { decodeResumptionState, type ResumptionState } from '../session/resumption-state.ts';
import type { DtlsServerSettings } from '../settings.ts';
import { suitesOf, type ClientWishes } from './server-choice.ts';

/** The session that a client names, when it can be gone on with. RFC 5246 §7.4.1.2, RFC 7627 §5.3. */
export function findResumable(
  hello: ClientHello,
  wishes: ClientWishes,
  settings: DtlsServerSettings,
): ResumptionState | undefined {
  const stored = hello.sessionId.length === 0 ? undefined : settings.resumption?.find(hello.sessionId);
  if (stored === undefined) return undefined;
  const state = decodeResumptionState(stored);
  // RFC 6066 §3: not under another name.
  if (!hello.cipherSuites.includes(state.suite.id) || state.serverName !== wishes.serverName)
    return undefined;
  if (!suitesOf(settings).includes(state.suite)) return undefined;
  if (state.extendedMasterSecret === wishes.extendedMasterSecret) return state;
  if (!state.extendedMasterSecret) return undefined;
  throw insufficient('the session had an extended master secret');
}
