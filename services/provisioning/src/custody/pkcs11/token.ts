import { provisioningError } from '../../errors.ts';
import type { Attribute } from './call-memory.ts';
import { CKA, CKF, CKM, CKR, CKU, LABEL_BYTES } from './cryptoki-constants.ts';
import type { Cryptoki } from './cryptoki.ts';

/** Slots that may appear between two calls. */
const SLOTS_MEANWHILE = 16;
/** Objects asked for at once: one more than a label should find. */
const FOUND_MAX = 2;
const TOKEN_INFO_BYTES = 208;
const TOKEN_FLAGS_AT = 96;
const WORD = 8;
const GCM_NONCE_BYTES = 12;
const GCM_TAG_BYTES = 16;

/** A token that somebody has logged into, in one session. Objects are found by class and label. */
export class Pkcs11Token {
  readonly #cryptoki: Cryptoki;
  readonly #session: bigint;

  private constructor(cryptoki: Cryptoki, session: bigint) {
    this.#cryptoki = cryptoki;
    this.#session = session;
  }

  /**
   * Logs into a token.
   *
   * @throws SefleetError `CUSTODY_PIN_REFUSED`, `CUSTODY_TOKEN_REFUSED`.
   */
  static open(cryptoki: Cryptoki, slot: bigint, pin: string): Pkcs11Token {
    const token = new Pkcs11Token(cryptoki, openSession(cryptoki, slot));
    try {
      login(cryptoki, token.#session, CKU.USER, pin);
      return token;
    } catch (error) {
      token.close();
      throw error;
    }
  }

  /** The handle of an object, undefined when there is none. */
  find(objectClass: bigint, label: string): bigint | undefined {
    return call(this.#cryptoki, ({ calls, memory }) => {
      const template = memory.template([
        [CKA.CLASS, objectClass],
        [CKA.LABEL, Buffer.from(label)],
      ]);
      check('C_FindObjectsInit', calls.C_FindObjectsInit(this.#session, template, 2n));
      const [found, count] = [memory.room(FOUND_MAX * WORD), memory.room(WORD)];
      const code = calls.C_FindObjects(this.#session, found, BigInt(FOUND_MAX), count);
      calls.C_FindObjectsFinal(this.#session);
      check('C_FindObjects', code);
      const matches = Number(memory.readWord(count));
      if (matches < FOUND_MAX) return matches === 0 ? undefined : memory.readWord(found);
      throw provisioningError('CUSTODY_TOKEN_REFUSED', `the token has two objects called ${label}`);
    });
  }

  generateKey(mechanism: bigint, template: readonly Attribute[]): bigint {
    return call(this.#cryptoki, ({ calls, memory }) => {
      const handle = memory.room(WORD);
      const attributes = memory.template(template);
      const count = BigInt(template.length);
      const made = memory.mechanism(mechanism);
      check('C_GenerateKey', calls.C_GenerateKey(this.#session, made, attributes, count, handle));
      return memory.readWord(handle);
    });
  }

  /** @returns The handle of the private half. */
  generateKeyPair(publicHalf: readonly Attribute[], privateHalf: readonly Attribute[]): bigint {
    return call(this.#cryptoki, ({ calls, memory }) => {
      const [open, secret] = [memory.room(WORD), memory.room(WORD)];
      const code = calls.C_GenerateKeyPair(
        this.#session,
        memory.mechanism(CKM.EC_KEY_PAIR_GEN),
        memory.template(publicHalf),
        BigInt(publicHalf.length),
        memory.template(privateHalf),
        BigInt(privateHalf.length),
        open,
        secret,
      );
      check('C_GenerateKeyPair', code);
      return memory.readWord(secret);
    });
  }

  /** A MAC or a signature of `length` bytes. */
  sign(key: bigint, mechanism: bigint, data: Uint8Array, length: number): Uint8Array {
    return call(this.#cryptoki, ({ calls, memory }) => {
      check('C_SignInit', calls.C_SignInit(this.#session, memory.mechanism(mechanism), key));
      const [out, size] = [memory.room(length), memory.word(BigInt(length))];
      const size64 = BigInt(data.length);
      check('C_Sign', calls.C_Sign(this.#session, memory.put(data), size64, out, size));
      const written = Number(memory.readWord(size));
      if (written === length) return memory.read(out, length);
      throw provisioningError('CUSTODY_TOKEN_REFUSED', `C_Sign gave ${written} bytes and not ${length}`);
    });
  }

  /** AES-GCM: nonce, ciphertext, tag. */
  seal(key: bigint, nonce: Uint8Array, name: Uint8Array, plain: Uint8Array): Uint8Array {
    return call(this.#cryptoki, ({ calls, memory }) => {
      const mechanism = this.#gcm(nonce, name);
      check('C_EncryptInit', calls.C_EncryptInit(this.#session, mechanism, key));
      const length = plain.length + GCM_TAG_BYTES;
      const [out, size] = [memory.room(length), memory.word(BigInt(length))];
      const length64 = BigInt(plain.length);
      check('C_Encrypt', calls.C_Encrypt(this.#session, memory.put(plain), length64, out, size));
      return Buffer.concat([nonce, memory.read(out, Number(memory.readWord(size)))]);
    });
  }

  /** What {@link seal} made; undefined when the key, the name or the bytes are others. */
  unseal(key: bigint, name: Uint8Array, sealed: Uint8Array): Uint8Array | undefined {
    if (sealed.length < GCM_NONCE_BYTES + GCM_TAG_BYTES) return undefined;
    return call(this.#cryptoki, ({ calls, memory }) => {
      const mechanism = this.#gcm(sealed.subarray(0, GCM_NONCE_BYTES), name);
      check('C_DecryptInit', calls.C_DecryptInit(this.#session, mechanism, key));
      const body = sealed.subarray(GCM_NONCE_BYTES);
      const [out, size] = [memory.room(body.length), memory.word(BigInt(body.length))];
      const code = calls.C_Decrypt(this.#session, memory.put(body), BigInt(body.length), out, size);
      if (WRONG_SEAL.has(Number(code))) return undefined;
      check('C_Decrypt', code);
      return memory.read(out, Number(memory.readWord(size)));
    });
  }

  /** An attribute, at most 256 bytes. @throws SefleetError `CUSTODY_TOKEN_REFUSED`, as for every secret. */
  attribute(object: bigint, type: Attribute[0]): Uint8Array {
    return call(this.#cryptoki, ({ calls, memory }) => {
      const value = memory.room(256);
      const template = memory.words(type, value, 256n);
      check('C_GetAttributeValue', calls.C_GetAttributeValue(this.#session, object, template, 1n));
      return memory.read(value, Number(memory.readWord(template + 16n)));
    });
  }

  destroy(object: bigint): void {
    check('C_DestroyObject', this.#cryptoki.calls.C_DestroyObject(this.#session, object));
  }

  close(): void {
    this.#cryptoki.calls.C_CloseSession(this.#session);
  }

  /** struct CK_GCM_PARAMS: nonce, its bytes and bits, associated data, its bytes, bits of the tag. */
  #gcm(nonce: Uint8Array, name: Uint8Array): bigint {
    const { memory } = this.#cryptoki;
    const at = [memory.put(nonce), memory.put(name)] as const;
    const length = BigInt(nonce.length);
    const bits = BigInt(GCM_TAG_BYTES * 8);
    const parameters = memory.words(at[0], length, length * 8n, at[1], BigInt(name.length), bits);
    return memory.mechanism(CKM.AES_GCM, parameters, 48);
  }
}

/** The slot whose token has this label; undefined when there is none. */
export function findSlot(cryptoki: Cryptoki, label: string): bigint | undefined {
  const named = slots(cryptoki).filter(({ initialised, name }) => initialised && name === label);
  if (named.length < 2) return named[0]?.slot;
  throw provisioningError('CUSTODY_TOKEN_REFUSED', `two tokens are called ${label}`);
}

/**
 * Makes a token in a slot that has none yet, as SoftHSM always has one.
 *
 * @throws SefleetError `CUSTODY_TOKEN_UNAVAILABLE` when there is no such slot.
 */
export function initialiseToken(cryptoki: Cryptoki, label: string, officerPin: string, pin: string): bigint {
  const free = slots(cryptoki).find(({ initialised }) => !initialised)?.slot;
  if (free === undefined) {
    throw provisioningError('CUSTODY_TOKEN_UNAVAILABLE', `there is no token ${label} and no room for one`, {
      hint: `Make a token with the label ${label} and write its user PIN into the PIN file.`,
    });
  }
  call(cryptoki, ({ calls, memory }) => {
    const so = Buffer.from(officerPin);
    const name = memory.put(Buffer.from(label.padEnd(LABEL_BYTES)));
    check('C_InitToken', calls.C_InitToken(free, memory.put(so), BigInt(so.length), name));
  });
  const session = openSession(cryptoki, free);
  try {
    login(cryptoki, session, CKU.SO, officerPin);
    call(cryptoki, ({ calls, memory }) => {
      const user = Buffer.from(pin);
      check('C_InitPIN', calls.C_InitPIN(session, memory.put(user), BigInt(user.length)));
    });
    cryptoki.calls.C_Logout(session);
  } finally {
    cryptoki.calls.C_CloseSession(session);
  }
  return free;
}

/** True when a session or the login has gone, so that opening the token again may help. */
export function isTokenGone(code: unknown): boolean {
  return typeof code === 'number' && GONE.has(code);
}

const GONE: ReadonlySet<number> = new Set([
  CKR.DEVICE_ERROR,
  CKR.DEVICE_REMOVED,
  CKR.SESSION_CLOSED,
  CKR.SESSION_HANDLE_INVALID,
  CKR.USER_NOT_LOGGED_IN,
]);
/** What tokens say of a wrong GCM tag; SoftHSM says a general error. */
const CKR_GENERAL_ERROR = 5;
const CKR_AEAD_DECRYPT_FAILED = 0x42;
const WRONG_SEAL: ReadonlySet<number> = new Set([
  CKR_GENERAL_ERROR,
  CKR_AEAD_DECRYPT_FAILED,
  CKR.ENCRYPTED_DATA_INVALID,
  CKR.ENCRYPTED_DATA_LEN_RANGE,
]);
const PIN_CODES: ReadonlySet<number> = new Set([CKR.PIN_INCORRECT, CKR.PIN_LEN_RANGE, CKR.PIN_LOCKED]);

function slots(cryptoki: Cryptoki): { slot: bigint; name: string; initialised: boolean }[] {
  const numbers = call(cryptoki, ({ calls, memory }) => {
    // The first call tells how many, and makes SoftHSM offer a fresh slot behind those that are taken.
    const known = memory.room(WORD);
    check('C_GetSlotList', calls.C_GetSlotList(1, 0n, known));
    const most = Number(memory.readWord(known)) + SLOTS_MEANWHILE;
    const [list, count] = [memory.room(most * WORD), memory.word(BigInt(most))];
    check('C_GetSlotList', calls.C_GetSlotList(1, list, count));
    const words = Array.from({ length: Number(memory.readWord(count)) }, (_, i) => BigInt(i * WORD));
    return words.map((at) => memory.readWord(list + at));
  });
  return numbers.map((slot) =>
    call(cryptoki, ({ calls, memory }) => {
      const info = memory.room(TOKEN_INFO_BYTES);
      check('C_GetTokenInfo', calls.C_GetTokenInfo(slot, info));
      const flags = memory.readWord(info + BigInt(TOKEN_FLAGS_AT));
      const name = Buffer.from(memory.read(info, LABEL_BYTES)).toString('utf8').trimEnd();
      return { slot, name, initialised: (flags & CKF.TOKEN_INITIALIZED) !== 0n };
    }),
  );
}

function openSession(cryptoki: Cryptoki, slot: bigint): bigint {
  return call(cryptoki, ({ calls, memory }) => {
    const session = memory.room(WORD);
    const flags = CKF.RW_SESSION | CKF.SERIAL_SESSION;
    check('C_OpenSession', calls.C_OpenSession(slot, flags, 0n, 0n, session));
    return memory.readWord(session);
  });
}

function login(cryptoki: Cryptoki, session: bigint, user: bigint, pin: string): void {
  const code = call(cryptoki, ({ calls, memory }) => {
    const bytes = Buffer.from(pin);
    return calls.C_Login(session, user, memory.put(bytes), BigInt(bytes.length));
  });
  // The login is one of the process and the token, whichever session it came by.
  if (Number(code) !== CKR.USER_ALREADY_LOGGED_IN) check('C_Login', code);
}

function call<T>(cryptoki: Cryptoki, run: (cryptoki: Cryptoki) => T): T {
  try {
    return run(cryptoki);
  } finally {
    cryptoki.memory.wipe();
  }
}

function check(name: string, answer: bigint): void {
  const code = Number(answer);
  if (code === CKR.OK) return;
  const context = { code };
  if (PIN_CODES.has(code)) {
    throw provisioningError('CUSTODY_PIN_REFUSED', `${name} answers 0x${code.toString(16)}`, {
      context,
      hint: 'The PIN file has to hold the PIN of this token; tokens lock after a few wrong ones.',
    });
  }
  throw provisioningError('CUSTODY_TOKEN_REFUSED', `${name} answers 0x${code.toString(16)}`, { context });
}
