import { LIFE_CYCLE_LOCKED, STATUS_WORD } from '@sefleet/globalplatform';
import type { Answer, AppletContext } from '../applets/applet.ts';
import type { Application } from '../card/card-state.ts';
import { orRefuse, refuse } from '../card/refusal.ts';
import { signByAuthority } from './authority-service.ts';
import { checkMemory } from '../registry/memory.ts';
import { requireUnlockedCard } from './command-context.ts';
import type { CommandContext } from './command-context.ts';
import { DomainSealing } from './sealing-service.ts';

/** A command for the selected application. */
export function processByApplet(context: CommandContext, application: Application): Answer {
  requireUnlockedCard(context);
  if ((application.lifeCycle & LIFE_CYCLE_LOCKED) !== 0) return refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  const program = orRefuse(context.card.program(application.module), STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  const answer = program.process(
    context.command,
    appletContext(context, application, () => undefined),
  );
  const { tx, card } = context;
  if (tx.changed && tx.kind === 'content') checkMemory(tx.state, card, application.parent);
  return answer;
}

/** What the applet of `application` may reach in this command. */
export function appletContext(
  context: CommandContext,
  application: Application,
  decryptSensitive: (blocks: Uint8Array) => Uint8Array | undefined,
): AppletContext<unknown> {
  return new ContextOfApplet(context, application, decryptSensitive);
}

class ContextOfApplet implements AppletContext<unknown> {
  readonly decryptSensitive: (blocks: Uint8Array) => Uint8Array | undefined;
  readonly #context: CommandContext;
  #application: Application;
  #sealing: DomainSealing | undefined;

  constructor(
    context: CommandContext,
    application: Application,
    decryptSensitive: (blocks: Uint8Array) => Uint8Array | undefined,
  ) {
    this.#context = context;
    this.#application = application;
    this.decryptSensitive = decryptSensitive;
  }

  get aid() {
    return this.#application.aid;
  }

  get domain() {
    return this.#application.parent;
  }

  get diversificationData() {
    return this.#context.tx.state.identity.diversificationData;
  }

  get rng() {
    return this.#context.card.rng;
  }

  get securityLevel() {
    return this.#context.channel.session?.messaging.level ?? 0;
  }

  get sealing() {
    return (this.#sealing ??= new DomainSealing(this.#context.tx, this.#application));
  }

  get fromOwner() {
    const { session } = this.#context.channel;
    if (session === undefined || !session.hostAuthenticated || session.messaging.level === 0) return false;
    return session.keyOwner === this.sealing.owner;
  }

  signByAuthority(message: Uint8Array): Uint8Array {
    return signByAuthority(this.#context, message);
  }

  get state() {
    return this.#application.state;
  }

  set state(state: unknown) {
    this.#application = { ...this.#application, state };
    this.#context.tx.put(this.#application, 'content');
  }

  setCounter(state: unknown): void {
    this.#application = { ...this.#application, state };
    this.#context.tx.put(this.#application, 'counter');
  }

  commitNow(): void {
    this.#context.tx.commitNow();
  }

  get memory() {
    return this.#context.channel.appletMemory;
  }

  set memory(memory: unknown) {
    this.#context.channel.appletMemory = memory;
  }
}
