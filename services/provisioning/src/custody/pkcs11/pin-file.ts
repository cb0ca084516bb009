import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { provisioningError } from '../../errors.ts';
import { isOpenToOthers, writeSecretFile } from '../secret-file.ts';
import { LABEL_BYTES } from './cryptoki-constants.ts';

const LINE = /^(\S+)\s+(\S{4,64})$/;
/** Who may initialise tokens; not a party's name, which begins with a letter. */
const OFFICER = '@officer';
/** Distinguishes the tokens of several installations in one store. */
const TAG = '@tag';
const PIN_BYTES = 12;
const TAG_BYTES = 3;

/**
 * The PINs of the parties' tokens: one a line behind the party's name, readable by its owner only. A file
 * that does not exist is begun, and tokens that have no PIN yet get one; with a file of one's own, tokens
 * have to be there and bear the parties' names.
 */
export class PinFile {
  readonly #path: string;
  readonly #entries: Map<string, string>;

  /** @throws SefleetError `CUSTODY_PIN_FILE_INVALID`. */
  constructor(path: string) {
    this.#path = path;
    this.#entries = existsSync(path) ? read(path) : begin();
  }

  /** PIN of a party's token, and whether it was made now: then the token has to be, too. */
  pinOf(party: string): { readonly pin: string; readonly fresh: boolean } {
    const known = this.#entries.get(party);
    if (known !== undefined) return { pin: known, fresh: false };
    if (!this.#entries.has(TAG)) {
      throw provisioningError('CUSTODY_PIN_FILE_INVALID', `${this.#path} has no PIN of ${party}`, {
        hint: `Add a line "${party} <PIN>".`,
      });
    }
    const pin = randomBytes(PIN_BYTES).toString('hex');
    this.#entries.set(party, pin);
    // Before the token is made: a PIN without a token can be used later, a token without its PIN never.
    this.#write();
    return { pin, fresh: true };
  }

  /** Initialises tokens; undefined when this file does not let us. */
  get officerPin(): string | undefined {
    return this.#entries.get(OFFICER);
  }

  /** The label of a party's token. */
  labelOf(party: string): string {
    const tag = this.#entries.get(TAG);
    const label = tag === undefined ? party : `${party} ${tag}`;
    if (Buffer.byteLength(label) <= LABEL_BYTES) return label;
    throw provisioningError('CUSTODY_TOKEN_REFUSED', `a token's label has at most 32 bytes: ${label}`);
  }

  #write(): void {
    const lines = [...this.#entries].map(([name, value]) => `${name} ${value}\n`);
    writeSecretFile(this.#path, `# name and PIN of every party's token; made by sefleet\n${lines.join('')}`);
  }
}

function begin(): Map<string, string> {
  return new Map([
    [TAG, randomBytes(TAG_BYTES).toString('hex')],
    [OFFICER, randomBytes(PIN_BYTES).toString('hex')],
  ]);
}

function read(path: string): Map<string, string> {
  if (isOpenToOthers(path)) {
    throw provisioningError('CUSTODY_PIN_FILE_INVALID', `${path} can be read by others`, {
      hint: `Run chmod 600 ${path}.`,
    });
  }
  const entries = new Map<string, string>();
  for (const [at, line] of readFileSync(path, 'utf8').split('\n').entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const [, name, value] = LINE.exec(line.trim()) ?? [];
    if (name === undefined || value === undefined || entries.has(name)) {
      throw provisioningError('CUSTODY_PIN_FILE_INVALID', `${path}:${at + 1} is no "name PIN", or a second`, {
        hint: 'One party a line: its name, a blank, the PIN of its token with 4 to 64 characters.',
      });
    }
    entries.set(name, value);
  }
  return entries;
}
