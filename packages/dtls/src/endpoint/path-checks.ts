import { constantTimeEqual } from '@sefleet/bytes';
import type { Peer, Runtime } from '@sefleet/runtime';
import {
  decodeReturnRoutability,
  encodeReturnRoutability,
  RETURN_ROUTABILITY_COOKIE_LENGTH,
  ReturnRoutabilityType,
} from '../codec/return-routability.ts';
import { ContentType } from '../constants.ts';
import type { Session } from '../session/session.ts';

/** RFC 9853 §5.5: without a round-trip time to go by. */
const PATH_TIMEOUT_MS = 1000;
/**
 * RFC 9000 §8, to which RFC 9853 §5 refers: so many times what came may be sent to an address that has not
 * proven itself.
 */
const AMPLIFICATION_LIMIT = 3;

/** What a check does to its session. */
interface PathActions {
  send(session: Session, type: number, content: Uint8Array, to: Peer): void;
  move(session: Session, to: Peer): void;
  drop(reason: string): void;
}

/**
 * The basic return routability check of RFC 9853 §5.1: a session moves once its peer echoes a cookie from the
 * new address.
 */
export class PathChecks {
  readonly #runtime: Runtime;
  readonly #actions: PathActions;

  constructor(runtime: Runtime, actions: PathActions) {
    this.#runtime = runtime;
    this.#actions = actions;
  }

  /** A record newer than all others came from another address than the session's. */
  suspect(session: Session, link: Peer, receivedBytes: number): void {
    const { pathCheck } = session;
    if (pathCheck !== undefined) {
      if (pathCheck.link.key === link.key) pathCheck.allowance += receivedBytes * AMPLIFICATION_LIMIT;
      return;
    }
    const cookie = this.#runtime.rng.bytes(RETURN_ROUTABILITY_COOKIE_LENGTH);
    const timer = this.#runtime.timers.after(PATH_TIMEOUT_MS, () => {
      session.pathCheck = undefined;
      this.#actions.drop('pathTimeout');
    });
    session.pathCheck = { link, cookie, timer, allowance: receivedBytes * AMPLIFICATION_LIMIT };
    this.#send(session, ReturnRoutabilityType.path_challenge, cookie, link);
  }

  /** A return routability message under the session's keys. */
  receive(session: Session, content: Uint8Array, from: Peer): void {
    const message = decodeReturnRoutability(content);
    if (message?.type === ReturnRoutabilityType.path_challenge) {
      // RFC 9853 §5.4: one answer for each, to where the question came from.
      this.#send(session, ReturnRoutabilityType.path_response, message.cookie, from);
      return;
    }
    const { pathCheck } = session;
    const isAnswer =
      message?.type === ReturnRoutabilityType.path_response &&
      pathCheck?.link.key === from.key &&
      constantTimeEqual(message.cookie, pathCheck.cookie);
    if (!isAnswer) {
      this.#actions.drop('unexpected');
      return;
    }
    endPathCheck(session);
    this.#actions.move(session, from);
  }

  #send(session: Session, type: number, cookie: Uint8Array, to: Peer): void {
    const content = encodeReturnRoutability({ type, cookie });
    this.#actions.send(session, ContentType.return_routability_check, content, to);
  }
}

/** Where data for a session goes now: undefined when the address that it would go to may get no more. */
export function pathFor(session: Session, bytes: number): Peer | undefined {
  const { pathCheck } = session;
  if (pathCheck === undefined) return session.link;
  if (pathCheck.allowance < bytes) return undefined;
  pathCheck.allowance -= bytes;
  return pathCheck.link;
}

export function endPathCheck(session: Session): void {
  session.pathCheck?.timer.cancel();
  session.pathCheck = undefined;
}
