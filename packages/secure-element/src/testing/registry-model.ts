import { LIFE_CYCLE_LOCKED } from '@sefleet/globalplatform';
import type { Aid } from '@sefleet/globalplatform';
import { ISSUER_SECURITY_DOMAIN } from '../profiles/standard-profile.ts';

/** What the reference model knows of a domain or application. */
interface ModelEntry {
  readonly kind: 'domain' | 'application';
  parent: Aid;
  loadFile: Aid | undefined;
  locked: boolean;
  /** A domain's keys: none of its own yet, or the generation of them. */
  keys: number;
}

/** A step that somebody takes with one command; `actor` has a session with its own domain. */
export type RegistryStep =
  | { readonly kind: 'install-domain' | 'install-application'; readonly target: Aid; readonly loadFile: Aid }
  | { readonly kind: 'delete' | 'lock' | 'unlock'; readonly target: Aid; readonly all: boolean }
  | { readonly kind: 'extradite'; readonly target: Aid; readonly to: Aid }
  | { readonly kind: 'put-keys' }
  | { readonly kind: 'load'; readonly loadFile: Aid }
  | { readonly kind: 'lock-card' | 'unlock-card' };

/** Deeper than this is nothing; the issuer counts. */
const DEPTH = 8;

/**
 * A card's registry as plain rules over plain maps: who may do what, and what is there afterwards. It knows
 * nothing of commands, sessions or transactions, so that it and the card can be wrong in the same way only
 * by reading the standard in the same way.
 */
export class RegistryModel {
  readonly entries = new Map<Aid, ModelEntry>();
  readonly loadFiles = new Map<Aid, Aid>();
  readonly #managers: ReadonlySet<Aid>;
  readonly #preloaded: ReadonlySet<Aid>;
  cardLocked = false;

  /** @param managers The domains with Authorized or Delegated Management. */
  constructor(managers: readonly Aid[], preloaded: readonly Aid[]) {
    this.#managers = new Set(managers);
    this.#preloaded = new Set(preloaded);
  }

  /** True when `actor` gets a session with its own domain. */
  opens(actor: Aid): boolean {
    if (actor === ISSUER_SECURITY_DOMAIN) return true;
    const entry = this.entries.get(actor);
    return !this.cardLocked && entry?.kind === 'domain' && !entry.locked;
  }

  /** The domain whose keys open a session with `domain`, and their generation. */
  keysOf(domain: Aid): { readonly owner: Aid; readonly generation: number } {
    const entry = this.entries.get(domain);
    if (entry === undefined) return { owner: ISSUER_SECURITY_DOMAIN, generation: 0 };
    return entry.keys > 0 ? { owner: domain, generation: entry.keys } : this.keysOf(entry.parent);
  }

  /** Takes the step when `actor` may; false, and nothing has changed, when not. */
  take(actor: Aid, step: RegistryStep): boolean {
    switch (step.kind) {
      case 'install-domain':
      case 'install-application':
        return this.#install(actor, step);
      case 'delete':
        return this.#manages(actor) && this.#delete(actor, step.target, step.all);
      case 'lock':
      case 'unlock':
        return this.#setLocked(actor, step.target, step.kind === 'lock', step.all);
      case 'extradite':
        return this.#manages(actor) && this.#extradite(actor, step.target, step.to);
      case 'put-keys':
        return this.#putKeys(actor);
      case 'load':
        if (!this.#manages(actor) || this.#isTaken(step.loadFile)) return false;
        this.loadFiles.set(step.loadFile, actor);
        return true;
      case 'lock-card':
      case 'unlock-card':
        return this.#setCardLocked(actor, step.kind === 'lock-card');
      default:
        return step satisfies never;
    }
  }

  /** `target` itself and everything that belongs to it. */
  #below(target: Aid): readonly Aid[] {
    const all = [...this.entries.keys(), ...this.loadFiles.keys()];
    return all.filter((name) => this.#isBelow(name, target));
  }

  #isBelow(name: Aid, above: Aid): boolean {
    if (name === above) return true;
    const parent = this.entries.get(name)?.parent ?? this.loadFiles.get(name);
    return parent !== undefined && this.#isBelow(parent, above);
  }

  #manages(actor: Aid): boolean {
    return !this.cardLocked && this.#managers.has(actor);
  }

  #isTaken(name: Aid): boolean {
    return this.entries.has(name) || this.loadFiles.has(name) || this.#preloaded.has(name);
  }

  #depth(domain: Aid): number {
    const entry = this.entries.get(domain);
    return entry === undefined ? 1 : 1 + this.#depth(entry.parent);
  }

  #install(
    actor: Aid,
    { kind, target, loadFile }: Extract<RegistryStep, { kind: 'install-domain' | 'install-application' }>,
  ): boolean {
    const exists = this.#preloaded.has(loadFile) || this.loadFiles.has(loadFile);
    if (!this.#manages(actor) || !exists || this.#isTaken(target)) return false;
    const isDomain = kind === 'install-domain';
    if (isDomain && this.#depth(actor) >= DEPTH) return false;
    this.entries.set(target, {
      kind: isDomain ? 'domain' : 'application',
      parent: actor,
      loadFile,
      locked: false,
      keys: 0,
    });
    return true;
  }

  #delete(actor: Aid, target: Aid, related: boolean): boolean {
    const file = this.loadFiles.has(target);
    if (!file && !this.entries.has(target)) return false;
    const global = actor === ISSUER_SECURITY_DOMAIN;
    if (!global && !this.#isBelow(target, actor)) return false;
    const made = [...this.entries].filter(([, entry]) => entry.loadFile === target).map(([name]) => name);
    const doomed = file ? [target, ...made] : this.#below(target);
    if (doomed.length > 1 && !related) return false;
    if (doomed.includes(actor)) return false;
    if (!global && !doomed.every((name) => this.#isBelow(name, actor))) return false;
    for (const name of doomed) {
      this.entries.delete(name);
      this.loadFiles.delete(name);
    }
    return true;
  }

  #setLocked(actor: Aid, target: Aid, locked: boolean, all: boolean): boolean {
    const entry = this.entries.get(target);
    const global = actor === ISSUER_SECURITY_DOMAIN;
    if (entry === undefined || entry.locked === locked || (all && entry.kind !== 'domain')) return false;
    const may = (name: Aid): boolean => global || (this.#isBelow(name, actor) && (name !== actor || locked));
    const concerned = [target, ...(all ? this.#below(target).filter((name) => name !== target) : [])]
      .flatMap((name) => this.entries.get(name) ?? [])
      .filter((other) => other.locked !== locked);
    if (!may(target)) return false;
    for (const other of concerned) other.locked = locked;
    return true;
  }

  #extradite(actor: Aid, target: Aid, to: Aid): boolean {
    const entry = this.entries.get(target);
    const host = this.entries.get(to);
    const isHost = to === ISSUER_SECURITY_DOMAIN || (host?.kind === 'domain' && !host.locked);
    if (entry === undefined || !isHost || !this.#isBelow(target, actor) || this.#isBelow(to, target))
      return false;
    if (entry.kind === 'domain' && this.#depth(to) + 1 >= DEPTH) return false;
    entry.parent = to;
    return true;
  }

  #putKeys(actor: Aid): boolean {
    const entry = this.entries.get(actor);
    if (this.cardLocked || entry?.kind !== 'domain') return false;
    entry.keys++;
    return true;
  }

  #setCardLocked(actor: Aid, locked: boolean): boolean {
    if (actor !== ISSUER_SECURITY_DOMAIN || this.cardLocked === locked) return false;
    this.cardLocked = locked;
    return true;
  }

  /** One line an entry, as GET STATUS of the issuer can be written down as well. */
  lines(): ReadonlySet<string> {
    const entries = [...this.entries].map(([name, { locked, parent, loadFile }]) =>
      line(name, locked ? LIFE_CYCLE_LOCKED : 0, parent, loadFile),
    );
    const files = [...this.loadFiles].map(([name, parent]) => line(name, 0, parent, undefined));
    return new Set([...entries, ...files]);
  }
}

/** What {@link RegistryModel.lines} compares of an entry. */
export function line(
  name: Aid,
  lifeCycle: number,
  parent: Aid | undefined,
  loadFile: Aid | undefined,
): string {
  const locked = (lifeCycle & LIFE_CYCLE_LOCKED) === 0 ? 'open' : 'locked';
  return `${name} ${locked} in ${parent ?? 'nothing'} from ${loadFile ?? 'nothing'}`;
}
