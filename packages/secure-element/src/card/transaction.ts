import type { Aid } from '@sefleet/globalplatform';
import { STATUS_WORD } from '@sefleet/globalplatform';
import type { Application, CardState, Entry, SecurityDomain } from './card-state.ts';
import { refuse } from './refusal.ts';

/**
 * The changes of one command, invisible until the card commits them all.
 *
 * `commitNow` splits a command where the standard wants a write to last even if what follows fails: a counter
 * before a comparison.
 */
export class Transaction {
  #state: CardState;
  #changed = false;
  #content = false;
  readonly #commit: (tx: Transaction) => CardState;

  constructor(state: CardState, commit: (tx: Transaction) => CardState) {
    this.#state = state;
    this.#commit = commit;
  }

  /** The memory as this command sees it. */
  get state(): CardState {
    return this.#state;
  }

  get changed(): boolean {
    return this.#changed;
  }

  /** What kind of change it is, for the owner's hook. */
  get kind(): 'content' | 'counter' {
    return this.#content ? 'content' : 'counter';
  }

  /** Changes fields of the card itself. */
  patch(fields: Partial<CardState>, kind: 'content' | 'counter' = 'content'): void {
    this.#state = { ...this.#state, ...fields };
    this.#mark(kind);
  }

  /** Puts `entry` in the place of the one with the same AID, or behind the others when it is new. */
  put(entry: Entry, kind: 'content' | 'counter' = 'content'): void {
    const entries = this.#state.entries.slice();
    const at = entries.findIndex((other) => other.aid === entry.aid);
    if (at < 0) entries.push(entry);
    else entries[at] = entry;
    this.#state = { ...this.#state, entries };
    this.#mark(kind);
  }

  /** Takes an entry off the registry. */
  remove(target: Aid): void {
    this.#state = { ...this.#state, entries: this.#state.entries.filter((entry) => entry.aid !== target) };
    this.#mark('content');
  }

  /** The entry with this AID, or undefined. */
  find(target: Aid): Entry | undefined {
    for (const entry of this.#state.entries) if (entry.aid === target) return entry;
    return undefined;
  }

  /** The Security Domain with this AID; the command ends with 6A88 when there is none. */
  domain(target: Aid): SecurityDomain {
    const entry = this.find(target);
    return entry?.kind === 'security-domain' ? entry : refuse(STATUS_WORD.REFERENCED_DATA_NOT_FOUND);
  }

  /** The application with this AID; the command ends with 6A88 when there is none. */
  application(target: Aid): Application {
    const entry = this.find(target);
    return entry?.kind === 'application' ? entry : refuse(STATUS_WORD.REFERENCED_DATA_NOT_FOUND);
  }

  /** Makes what was changed so far last, whatever becomes of the rest of the command. */
  commitNow(): void {
    if (!this.#changed) return;
    this.#state = this.#commit(this);
    this.#changed = false;
    this.#content = false;
  }

  #mark(kind: 'content' | 'counter'): void {
    this.#changed = true;
    if (kind === 'content') this.#content = true;
  }
}
