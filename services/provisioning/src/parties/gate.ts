import type { EventLog } from '@sefleet/observability';
import type { Clock } from '@sefleet/runtime';
import { findParty, type PartyId } from '../domain/party.ts';
import { provisioningError } from '../errors.ts';
import { PROVISIONING_EVENTS } from '../events.ts';
import type { PartyStore } from '../store/party-store.ts';

/** Who operates the installation: may do what any party may, by the certificate of the command. */
const OPERATOR = 'cli';

/**
 * Decides by the caller's certificate, whose name is a party's or a service's. Whoever is refused is
 * remembered.
 */
export class Gate {
  readonly #store: PartyStore;
  readonly #clock: Clock;
  readonly #log: EventLog;

  constructor(store: PartyStore, clock: Clock, log: EventLog) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
  }

  /** Lets the operator in, and the parties in `others`. */
  async requireOperator(caller: string, operation: string, subject: string, ...others: string[]) {
    if (caller !== OPERATOR && !others.includes(caller)) await this.refuse(caller, operation, subject);
  }

  /**
   * Whose keys a call is about: those of the party that is named, or the caller's own.
   *
   * @throws SefleetError `PROVISIONING_FORBIDDEN` unless they are the caller's own or the operator asks.
   */
  async requireOwner(caller: string, named: string, operation: string): Promise<PartyId> {
    const subject = named === '' ? caller : named;
    if (caller !== OPERATOR && caller !== subject) await this.refuse(caller, operation, subject);
    const party = findParty(subject);
    if (party !== undefined) return party.id;
    // A stranger is not told who exists.
    if (caller !== OPERATOR) await this.refuse(caller, operation, subject);
    throw provisioningError('PROVISIONING_STAKEHOLDER_NOT_FOUND', `nobody is called ${subject}`);
  }

  /** Writes the refusal down and refuses. */
  async refuse(caller: string, operation: string, subject: string): Promise<never> {
    const at = this.#clock.wallMs();
    await this.#store.addRefusal({ at, caller, operation, subject: subject.slice(0, SUBJECT_MAX) });
    this.#log.emit(PROVISIONING_EVENTS.callRefused, { caller, permission: operation });
    throw provisioningError(
      'PROVISIONING_FORBIDDEN',
      `${caller || 'a nameless caller'} may not ${operation}`,
      {
        context: { caller, operation },
        hint: "A party's certificate reaches the party's own keys only.",
      },
    );
  }
}

/** Longer names than there are. */
const SUBJECT_MAX = 128;
