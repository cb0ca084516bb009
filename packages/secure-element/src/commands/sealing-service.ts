import { constantTimeEqual } from '@sefleet/bytes';
import { sealTelemetryRecord } from '@sefleet/cose';
import { LIFE_CYCLE_LOCKED, STATUS_WORD } from '@sefleet/globalplatform';
import type { Aid } from '@sefleet/globalplatform';
import type { AccountFacts, HandOver, HandOverRequest, Reading, SealingService } from '../applets/applet.ts';
import type { Application, RecordAccount, RecordGrant, SecurityDomain } from '../card/card-state.ts';
import { orRefuse, refuse } from '../card/refusal.ts';
import type { Transaction } from '../card/transaction.ts';
import { isInUse, servingDomain } from '../registry/record-accounts.ts';
import { NO_DATA } from './command-context.ts';

/** Six bytes hold it. */
const MAX_SEQUENCE = 0xffff_ffff_ffff;

interface Open {
  readonly domain: SecurityDomain;
  readonly account: RecordAccount;
}

/**
 * The sealing service of the Security Domains, as one application sees it: it gets sealed records and never
 * a key. An account serves the applications of its domain, and one more when its owner granted that.
 */
export class DomainSealing implements SealingService {
  readonly #tx: Transaction;
  readonly #application: Application;

  constructor(tx: Transaction, application: Application) {
    this.#tx = tx;
    this.#application = application;
  }

  get account(): AccountFacts | undefined {
    const account = this.#serving()?.account;
    return account === undefined ? undefined : { ...factsOf(account), closed: !isInUse(account) };
  }

  get owner(): Aid | undefined {
    return this.#serving()?.aid;
  }

  /** The number counts before the record leaves: a record that is lost leaves a gap, never a repetition. */
  seal(reading: Reading, floor: number) {
    const { domain, account } = this.#open();
    const sequence = next(account, floor);
    this.#count(domain, account, sequence, 'counter');
    return { sequence, sealed: sealed(account, reading, sequence) };
  }

  handOver(request: HandOverRequest, floor: number): HandOver {
    const { domain, account } = this.#open();
    const successor = this.#granting(request, domain.aid);
    const closing = next(account, floor);
    const opening = next(successor.account, closing);
    this.#count(domain, { ...account, closed: true, grant: undefined }, closing, 'content');
    const { grant } = successor;
    const taken = { ...successor.account, grant: { ...grant, active: true, parameters: NO_DATA } };
    this.#count(successor.domain, taken, opening, 'content');
    return {
      closing: sealed(account, request.reading, closing),
      opening: sealed(successor.account, request.reading, opening),
      sequence: opening,
      parameters: grant.parameters,
    };
  }

  #serving(): SecurityDomain | undefined {
    return servingDomain(this.#tx.state, this.#application);
  }

  #open(): Open {
    const domain = orRefuse(this.#serving(), STATUS_WORD.CONDITIONS_NOT_SATISFIED);
    const account = orRefuse(domain.account, STATUS_WORD.CONDITIONS_NOT_SATISFIED);
    return isInUse(account) ? { domain, account } : refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  }

  /** The account that waits for this application, this secret and this instant. */
  #granting({ successor, activation, reading }: HandOverRequest, from: Aid): Open & { grant: RecordGrant } {
    const domain = this.#tx.find(successor);
    if (domain?.kind !== 'security-domain' || domain.aid === from) {
      return refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
    }
    const account = orRefuse(domain.account, STATUS_WORD.CONDITIONS_NOT_SATISFIED);
    const { grant } = account;
    const waits = grant?.active === false && grant.application === this.#application.aid && !account.closed;
    if (!waits || (domain.lifeCycle & LIFE_CYCLE_LOCKED) !== 0)
      return refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
    if (!constantTimeEqual(grant.activation, activation)) refuse(STATUS_WORD.SECURITY_STATUS_NOT_SATISFIED);
    if (reading.timestampMs !== grant.instantMs) refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
    return { domain, account, grant };
  }

  #count(
    domain: SecurityDomain,
    account: RecordAccount,
    sequence: number,
    kind: 'content' | 'counter',
  ): void {
    const firstSequence = account.firstSequence === 0 ? sequence : account.firstSequence;
    this.#tx.put({ ...domain, account: { ...account, sequence, firstSequence } }, kind);
  }
}

function next(account: RecordAccount, floor: number): number {
  const sequence = Math.max(account.sequence, floor) + 1;
  return sequence > MAX_SEQUENCE ? refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED) : sequence;
}

function sealed(account: RecordAccount, reading: Reading, sequence: number): Uint8Array {
  return sealTelemetryRecord({ ...account, record: { ...reading, sequence } });
}

function factsOf({ stakeholder, keyVersion, endpoint, sequence, firstSequence }: RecordAccount) {
  return { stakeholder, keyVersion, endpoint, sequence, firstSequence };
}
