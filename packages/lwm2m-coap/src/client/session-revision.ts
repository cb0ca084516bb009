import { serverAccounts } from '@sefleet/lwm2m';
import type { ObjectTree } from '@sefleet/lwm2m';
import type { RegistrationSession } from './registration-session.ts';
import { accountPrint } from './server-account.ts';
import type { Account } from './server-account.ts';

/** What becomes of the sessions that were there before the accounts were written anew. */
export interface SessionRevision {
  /** Their conversation goes on, by short server id. */
  readonly kept: ReadonlyMap<number, RegistrationSession>;
  /** Their server is no server of the device any more. */
  readonly ended: readonly RegistrationSession[];
  /** Their server is to be met in another way, or they have no conversation. */
  readonly broken: readonly RegistrationSession[];
}

/** Remembers from which account each session was made, to tell afterwards what has changed. */
export class SessionPrints {
  readonly #prints = new WeakMap<RegistrationSession, string>();

  note(session: RegistrationSession, tree: ObjectTree, account: Account): RegistrationSession {
    this.#prints.set(session, accountPrint(tree, account));
    return session;
  }

  /** Sorts sessions by the accounts as they stand now. */
  revise(sessions: readonly RegistrationSession[], tree: ObjectTree): SessionRevision {
    const accounts = new Map(serverAccounts(tree).map((account) => [account.server.shortServerId, account]));
    const kept = new Map<number, RegistrationSession>();
    const ended: RegistrationSession[] = [];
    const broken: RegistrationSession[] = [];
    for (const session of sessions) {
      const account = accounts.get(session.shortServerId);
      if (account === undefined) ended.push(session);
      else if (session.isRegistered && this.#prints.get(session) === accountPrint(tree, account))
        kept.set(session.shortServerId, session);
      else broken.push(session);
    }
    return { kept, ended, broken };
  }
}
