import { isSefleetError } from '@sefleet/errors';
import {
  CARD_LIFE_CYCLE,
  decodeApdu,
  decodeClassByte,
  encodeResponse,
  INS,
  plainClass,
  STATUS_WORD,
} from '@sefleet/globalplatform';
import type { Aid, ClassByte, CommandApdu, ResponseApdu } from '@sefleet/globalplatform';
import type { Answer, AppletProgram } from '../applets/applet.ts';
import type { CardServices } from '../commands/command-context.ts';
import { execute } from '../commands/execute.ts';
import { decodeCardState, encodeCardState } from '../image/card-state-codec.ts';
import type { CardProfile } from '../profiles/card-profile.ts';
import { implicitlySelected } from '../registry/default-selected.ts';
import type { CardState } from './card-state.ts';
import { closeSession, createChannel } from './channel.ts';
import { chainCommand } from './command-chain.ts';
import type { Channel } from './channel.ts';
import { anchorOf, LIFE_ID_LENGTH, withLife } from './lineage.ts';
import type { CardAnchor } from './lineage.ts';
import { Refusal, refuse } from './refusal.ts';
import type { CardPorts, SecureElement } from './secure-element.ts';
import { Transaction } from './transaction.ts';

const MAX_SHORT_RESPONSE = 256;
const NO_DATA = new Uint8Array(0);
/**
 * Commands that a plain class byte may carry although a secure channel session is open: they end or steer it.
 */
const ALWAYS_PLAIN: readonly number[] = [INS.SELECT, INS.INITIALIZE_UPDATE, INS.GET_RESPONSE];

/** The applets that a card can run, by module. */
export type AppletPrograms = ReadonlyMap<Aid, AppletProgram>;

/** The card: non-volatile state, logical channels, and the way of a command through both. */
export class VirtualCard implements SecureElement, CardServices {
  readonly profile: CardProfile;
  readonly #ports: CardPorts;
  readonly #programs: AppletPrograms;
  /** The state, or its image while the card is parked. */
  #memory: CardState | Uint8Array;
  #revision: number;
  /** True until the first change after an import, which begins a run of the card. */
  #dormant: boolean;
  #channels: Map<number, Channel> | undefined;

  constructor(
    profile: CardProfile,
    memory: CardState | Uint8Array,
    revision: number,
    ports: CardPorts,
    programs: AppletPrograms,
  ) {
    this.profile = profile;
    this.#ports = ports;
    this.#programs = programs;
    this.#memory = memory;
    this.#revision = revision;
    this.#dormant = memory instanceof Uint8Array;
  }

  get anchor(): CardAnchor {
    return anchorIn(this.state);
  }

  get revision(): number {
    return this.#revision;
  }

  get rng() {
    return this.#ports.rng;
  }

  get channels(): Map<number, Channel> {
    const first = (): Channel =>
      createChannel(0, implicitlySelected(this.state) ?? this.profile.issuerDomain);
    return (this.#channels ??= new Map([[0, first()]]));
  }

  get diversificationData(): Uint8Array {
    return this.state.identity.diversificationData.slice();
  }

  get applications(): readonly Aid[] {
    return this.state.entries.map((entry) => entry.aid);
  }

  /** The non-volatile memory as it is. */
  get state(): CardState {
    if (this.#memory instanceof Uint8Array) this.#memory = decodeCardState(this.#memory, this.#programs);
    return this.#memory;
  }

  program(module: Aid): AppletProgram | undefined {
    return this.#programs.get(module);
  }

  /** A property, so that it can be handed on as it is. */
  readonly transmit = (apdu: Uint8Array): Uint8Array => this.#transmit(apdu);

  #transmit(apdu: Uint8Array): Uint8Array {
    let command: CommandApdu;
    try {
      // `slice` of a Buffer would keep a view on what the caller may reuse.
      command = decodeApdu(new Uint8Array(apdu.buffer, apdu.byteOffset, apdu.length));
    } catch {
      // Whatever decodeApdu dislikes is a matter of lengths.
      return statusOnly(STATUS_WORD.WRONG_LENGTH);
    }
    const header = decodeClassByte(command.cla);
    if (header === undefined) return statusOnly(STATUS_WORD.CLA_NOT_SUPPORTED);
    const channel = this.channels.get(header.channel);
    if (channel === undefined) return statusOnly(STATUS_WORD.CHANNEL_NOT_SUPPORTED);
    if (command.ins === INS.GET_RESPONSE) return encodeResponse(fetchRemaining(channel, command));
    if (isPlainManageChannel(command, header))
      return encodeResponse(this.#run(channel, { ...command, cla: 0 }));
    channel.remaining = undefined;
    const { session } = channel;
    const forDomain = this.state.entries.some(
      ({ aid, kind }) => aid === channel.selected && kind === 'security-domain',
    );
    const step = chainCommand(channel, command, header, forDomain);
    let response: ResponseApdu;
    if (step.kind === 'part') response = { data: NO_DATA, sw: step.sw };
    else if (step.opened) response = this.#run(channel, { ...step.command, cla: plainClass(command.cla) });
    else response = this.#secure(channel, step.command, header.secure);
    if (step.opened && session !== undefined) response = session.messaging.wrapResponse(response);
    return encodeResponse(limitLength(channel, command, response));
  }

  reset(): void {
    this.#channels = undefined;
  }

  park(): void {
    const only = this.#channels?.get(0);
    const idle = only !== undefined && this.#channels?.size === 1 && only.session === undefined;
    if (idle && only.selected === implicitlySelected(this.state) && only.pending === undefined)
      this.#channels = undefined;
    if (!(this.#memory instanceof Uint8Array)) this.#memory = this.image();
  }

  /** The card as `exportCard` gives it. */
  image(): Uint8Array {
    if (this.#memory instanceof Uint8Array) return this.#memory.slice();
    return encodeCardState(this.#memory, this.profile, this.#programs);
  }

  /** Secure messaging on the way in and out. */
  #secure(channel: Channel, command: CommandApdu, secure: boolean): ResponseApdu {
    const isAuthentication = command.ins === INS.EXTERNAL_AUTHENTICATE && channel.pending !== undefined;
    if (!isAuthentication) channel.pending = undefined;
    if (!secure) {
      const needed = channel.session !== undefined && channel.session.messaging.level !== 0;
      if (isAuthentication || (needed && !ALWAYS_PLAIN.includes(command.ins))) {
        closeSession(channel);
        return { data: NO_DATA, sw: STATUS_WORD.SECURITY_STATUS_NOT_SATISFIED };
      }
      return this.#run(channel, { ...command, cla: plainClass(command.cla) });
    }
    const messaging = isAuthentication ? channel.pending?.messaging : channel.session?.messaging;
    if (messaging === undefined || messaging.level === 0) {
      return { data: NO_DATA, sw: STATUS_WORD.SECURITY_STATUS_NOT_SATISFIED };
    }
    const plain = messaging.unwrapCommand(command);
    if (plain === undefined) {
      closeSession(channel);
      return { data: NO_DATA, sw: STATUS_WORD.SECURITY_STATUS_NOT_SATISFIED };
    }
    const response = this.#run(channel, { ...plain, cla: plainClass(plain.cla) });
    return isAuthentication ? response : messaging.wrapResponse(response);
  }

  /** One command as one transaction. */
  #run(channel: Channel, command: CommandApdu): ResponseApdu {
    const tx = new Transaction(this.state, (changed) => this.#commit(changed));
    try {
      if (this.state.lifeCycle === CARD_LIFE_CYCLE.TERMINATED && command.ins !== INS.GET_DATA) {
        refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
      }
      const answer: Answer = execute({ card: this, tx, channel, command });
      tx.commitNow();
      return answer instanceof Uint8Array ? { data: answer, sw: STATUS_WORD.OK } : answer;
    } catch (error) {
      if (error instanceof Refusal) return { data: NO_DATA, sw: error.sw };
      if (error instanceof PowerCut) throw this.#lostPower(error);
      const sw = isSefleetError(error) ? STATUS_WORD.WRONG_DATA : STATUS_WORD.NO_PRECISE_DIAGNOSIS;
      return { data: NO_DATA, sw };
    }
  }

  #commit(tx: Transaction): CardState {
    const { onCommit, rng } = this.#ports;
    const lives = this.#dormant
      ? withLife(tx.state.lives, rng.bytes(LIFE_ID_LENGTH), this.#revision)
      : tx.state.lives;
    const state = { ...tx.state, revision: this.#revision + 1, lives };
    if (onCommit !== undefined) {
      const image = (): Uint8Array => encodeCardState(state, this.profile, this.#programs);
      try {
        onCommit({ revision: state.revision, anchor: anchorIn(state), kind: tx.kind, image });
      } catch (error) {
        throw new PowerCut(error);
      }
    }
    this.#memory = state;
    this.#revision = state.revision;
    this.#dormant = false;
    return state;
  }

  #lostPower(cut: PowerCut): unknown {
    this.reset();
    return cut.reason;
  }
}

function anchorIn({ identity, revision, lives }: CardState): CardAnchor {
  return anchorOf({ diversificationData: identity.diversificationData, revision, lives });
}

/** Carries what `onCommit` threw past the handlers. */
class PowerCut {
  readonly reason: unknown;

  constructor(reason: unknown) {
    this.reason = reason;
  }
}

/**
 * MANAGE CHANNEL without secure messaging. The card answers it itself and no Security Domain learns of it
 * (GPCS 2.3.1 §11.7), so it leaves a session, an authentication that is half done, a chain of commands and a
 * waiting response on its channel as they are: a device opens a channel while its card's owner opens a
 * session.
 */
function isPlainManageChannel({ ins }: CommandApdu, cla: ClassByte): boolean {
  return ins === INS.MANAGE_CHANNEL && !cla.secure && !cla.chaining && !cla.proprietary;
}

function statusOnly(sw: number): Uint8Array {
  return Uint8Array.of(sw >> 8, sw);
}

/** Cuts what does not fit Le, or the short form, and keeps the rest for GET RESPONSE. */
function limitLength(channel: Channel, command: CommandApdu, response: ResponseApdu): ResponseApdu {
  const room = command.le ?? (command.extended === true ? Infinity : MAX_SHORT_RESPONSE);
  if (response.data.length <= room) return response;
  channel.remaining = { data: response.data, sw: response.sw };
  return nextPart(channel, room);
}

function fetchRemaining(channel: Channel, command: CommandApdu): ResponseApdu {
  if (channel.remaining === undefined) return { data: NO_DATA, sw: STATUS_WORD.CONDITIONS_NOT_SATISFIED };
  return nextPart(channel, command.le ?? MAX_SHORT_RESPONSE);
}

function nextPart(channel: Channel, room: number): ResponseApdu {
  const { remaining } = channel;
  if (remaining === undefined) return { data: NO_DATA, sw: STATUS_WORD.CONDITIONS_NOT_SATISFIED };
  const data = remaining.data.subarray(0, room);
  remaining.data = remaining.data.subarray(room);
  const left = remaining.data.length;
  if (left > 0) return { data, sw: 0x6100 | (left > 0xff ? 0 : left) };
  channel.remaining = undefined;
  return { data, sw: remaining.sw };
}
