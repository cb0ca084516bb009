import { toHex } from '@sefleet/bytes';
import { exchangeApdu } from './apdu-exchange.ts';
import type { RacsAccess } from './access.ts';
import { parseCommand, type Command, type ErrorClass } from './command.ts';
import { racsError } from './errors.ts';
import { COMMANDS_MAX, LABEL_CHARACTERS_MAX, RESPONSE_BYTES_MAX } from './limits.ts';
import type { LockTable, SecureElementDirectory, ServedSecureElement } from './lock-table.ts';
import { failure, formatStatusLine, success, type StatusLine } from './status-line.ts';

/** The version of the protocol that is spoken. */
export const RACS_VERSION = '0.2';

/** What a session works with. */
export interface RacsServerContext {
  readonly directory: SecureElementDirectory;
  readonly access: RacsAccess;
  readonly locks: LockTable;
}

interface OpenRequest {
  readonly label: string;
  lines: number;
  readonly kept: string[];
  keptBytes: number;
  last: StatusLine;
  failed: boolean;
}

/** The mandatory lines of a command's answer, or an error class with its text. */
type Outcome = { readonly text: string } | { readonly error: ErrorClass; readonly text: string };

const SELECT_BY_NAME = [0xa4, 0x04] as const;
const MANAGE_CHANNEL = 0x70;

/**
 * One TLS session of one user: lines in, response lines out, one request after the other. It holds no socket;
 * whoever owns one feeds whole lines and writes what comes back.
 */
export class RacsServerSession {
  readonly #context: RacsServerContext;
  readonly #commonName: string;
  /** Logical channels on which an application was selected, by element. */
  readonly #selected = new Map<string, Set<number>>();
  #closed = false;
  #commands = 0;
  #refused = 0;
  #request: OpenRequest | undefined;

  /** @param commonName of the certificate that the client proved in the TLS handshake. */
  constructor(context: RacsServerContext, commonName: string) {
    this.#context = context;
    this.#commonName = commonName;
  }

  /**
   * Takes the next line and resolves to the lines to answer with: none until END. Lines are taken one at a
   * time.
   */
  async receive(line: string): Promise<readonly string[]> {
    const text = line.trim();
    const request = this.#request;
    if (request === undefined) return text === '' ? [] : this.#begin(text);
    if (text === 'END') {
      this.#request = undefined;
      return respond(request);
    }
    request.lines++;
    // After the first error the rest of the request is read and not carried out.
    if (request.failed) return [];
    if (request.lines > COMMANDS_MAX) {
      this.#note(request, failure('SYSTEM', 'system', COMMANDS_MAX, 'too many commands'), false);
      return [];
    }
    const command = parseCommand(text);
    if ('error' in command) {
      this.#note(request, failure(command.command, command.error, request.lines, command.text), false);
      return [];
    }
    const outcome = await this.#execute(command);
    const status =
      'error' in outcome
        ? failure(command.name, outcome.error, request.lines, outcome.text)
        : success(command.name, request.lines, outcome.text);
    this.#note(request, status, command.append);
    return [];
  }

  /** What the session has done: commands that were carried out, and those that were refused or failed. */
  get done(): { readonly commands: number; readonly refused: number } {
    return { commands: this.#commands, refused: this.#refused };
  }

  /** The TLS session has ended: every element that it used is powered off and free. */
  close(): void {
    this.#closed = true;
    for (const element of this.#context.locks.release(this)) element.powerOff();
  }

  #begin(text: string): readonly string[] {
    const [word, label = '', ...more] = text.split(/ +/);
    if (word !== 'BEGIN') {
      return ['BEGIN', formatStatusLine(failure('SYSTEM', 'illegalCommand', 0, 'waiting for BEGIN')), 'END'];
    }
    const tooLong = label.length > LABEL_CHARACTERS_MAX || more.length > 0;
    this.#request = {
      label: tooLong ? '' : label,
      lines: 0,
      kept: [],
      keptBytes: 0,
      last: tooLong
        ? failure('BEGIN', 'illegalCommand', 0, 'label is one word of 64 characters at most')
        : success('BEGIN', 0, ''),
      failed: tooLong,
    };
    return [];
  }

  #note(request: OpenRequest, status: StatusLine, append: boolean): void {
    request.last = status;
    this.#commands++;
    if (!status.ok) {
      request.failed = true;
      this.#refused++;
    }
    if (!append || !status.ok) return;
    const line = formatStatusLine(status);
    request.keptBytes += line.length + 2;
    if (request.keptBytes > RESPONSE_BYTES_MAX) {
      request.last = failure('SYSTEM', 'system', request.lines, 'the response has no more room');
      request.failed = true;
      return;
    }
    request.kept.push(line);
  }

  async #execute(command: Command): Promise<Outcome> {
    switch (command.name) {
      case 'GET-VERSION':
        return { text: RACS_VERSION };
      case 'SET-VERSION':
        return command.version === RACS_VERSION
          ? { text: RACS_VERSION }
          : { error: 'illegalParameter', text: `only version ${RACS_VERSION}` };
      case 'ECHO':
        return { text: command.text };
      case 'LIST':
        return { text: this.#list() };
      default:
        return this.#onElement(command);
    }
  }

  #list(): string {
    const seids: string[] = [];
    let bytes = 0;
    for (const seid of this.#context.directory.seids()) {
      if (!this.#context.access.mayUse(this.#commonName, seid)) continue;
      bytes += seid.length + 1;
      if (bytes > RESPONSE_BYTES_MAX / 2) break;
      seids.push(seid);
    }
    return seids.join(' ');
  }

  async #onElement(command: Extract<Command, { seid: string }>): Promise<Outcome> {
    const { access, directory, locks } = this.#context;
    const { seid } = command;
    // An element that the user may not use and one that is not there are told apart by nobody.
    const element = access.mayUse(this.#commonName, seid) ? directory.find(seid) : undefined;
    if (element === undefined) return { error: 'unauthorised', text: `${seid} is not for this user` };
    const holder = locks.holder(seid);
    if (holder !== undefined && holder !== this) return { error: 'inUse', text: `${seid} is already in use` };
    if (command.name === 'POWERON') return this.#powerOn(seid, element);
    if (holder === undefined) return { error: 'inUse', text: `${seid} is powered off` };
    if (command.name === 'SHUTDOWN') return this.#shutDown(seid, element);
    if (command.name === 'RESET') {
      this.#selected.delete(seid);
      element.reset(command.warm);
      return { text: `${seid} is reset` };
    }
    return this.#apdu(command, element);
  }

  #powerOn(seid: string, element: ServedSecureElement): Outcome {
    try {
      element.powerOn();
    } catch {
      // Somebody reaches the element by another door, or it does not start.
      return { error: 'inUse', text: `${seid} cannot be powered on` };
    }
    this.#context.locks.lock(seid, this, element);
    this.#selected.delete(seid);
    return { text: `${seid} is powered on` };
  }

  #shutDown(seid: string, element: ServedSecureElement): Outcome {
    element.powerOff();
    this.#selected.delete(seid);
    this.#context.locks.unlock(seid);
    return { text: `${seid} is powered off` };
  }

  async #apdu(command: Extract<Command, { name: 'APDU' }>, element: ServedSecureElement): Promise<Outcome> {
    const { seid, apdu, chaining } = command;
    const refusal = this.#firewall(seid, apdu);
    if (refusal !== undefined) return { error: 'inUse', text: refusal };
    const result = await exchangeApdu((request) => this.#transmit(element, request), apdu, chaining);
    if ('failed' in result) {
      return result.failed === 'hardware'
        ? { error: 'hardware', text: `${seid} does not answer` }
        : { error: 'inUse', text: 'response overflow' };
    }
    this.#follow(seid, apdu, result.response);
    const text = toHex(result.response).toUpperCase();
    return result.accepted ? { text } : { error: 'execution', text };
  }

  /** What an exchange that is under way sends after its session has ended would be another's. */
  #transmit(element: ServedSecureElement, apdu: Uint8Array): Uint8Array | Promise<Uint8Array> {
    if (!this.#closed) return element.transmit(apdu);
    throw racsError('RACS_CONNECTION_CLOSED', 'the session has ended');
  }

  /**
   * Which channels have an application that this user selected. A channel that is opened has one of the
   * card's choice.
   */
  #follow(seid: string, apdu: Uint8Array, response: Uint8Array): void {
    const channels = this.#selected.get(seid) ?? new Set<number>();
    this.#selected.set(seid, channels);
    const sw1 = response.at(-2);
    const succeeded = sw1 === 0x90 || sw1 === 0x61;
    if (selectedAid(apdu) !== undefined) {
      if (succeeded) channels.add(channelOf(apdu));
      else channels.delete(channelOf(apdu));
    } else if (succeeded && apdu[1] === MANAGE_CHANNEL) {
      const [number = 0] = apdu[3] === 0 && apdu[2] === 0 ? response : [apdu[3] ?? 0];
      channels.delete(number);
    }
  }

  /** Why a command may not reach the element, if it may not. */
  #firewall(seid: string, apdu: Uint8Array): string | undefined {
    const { access } = this.#context;
    if (!access.mayTransmit(this.#commonName, seid, apdu)) return 'the command is filtered';
    const aid = selectedAid(apdu);
    if (aid !== undefined) {
      return access.maySelect(this.#commonName, seid, aid)
        ? undefined
        : 'the application is not for this user';
    }
    const isOpen = this.#selected.get(seid)?.has(channelOf(apdu)) === true;
    return access.hasApplicationTable(seid) && !isOpen ? 'no application is selected' : undefined;
  }
}

/**
 * The AID of a SELECT by name, on whichever logical channel; undefined for other commands (ISO 7816-4 §11.2).
 */
function selectedAid(apdu: Uint8Array): Uint8Array | undefined {
  const [cla = 0, ins, p1, , lc = 0] = apdu;
  if (cla >= 0x80 || ins !== SELECT_BY_NAME[0] || p1 !== SELECT_BY_NAME[1]) return undefined;
  return apdu.subarray(5, 5 + lc);
}

/** The logical channel in the class byte: 0 to 3, or 4 to 19 (ISO 7816-4 §5.4.1). */
function channelOf([cla = 0]: Uint8Array): number {
  return (cla & 0x40) === 0 ? cla & 0x03 : 4 + (cla & 0x0f);
}

function respond(request: OpenRequest): readonly string[] {
  const last = formatStatusLine(request.last);
  const isKept = request.kept.at(-1) === last;
  const label = request.label === '' ? '' : ` ${request.label}`;
  return [`BEGIN${label}`, ...request.kept, ...(isKept ? [] : [last]), 'END'];
}
