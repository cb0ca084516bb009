/**
 * The unsafe part of PKCS#11, and all of it: the functions of a module by their C signatures (OASIS PKCS#11
 * 2.40, pkcs11f.h), called through `node:ffi`. A wrong signature corrupts the process, so nothing else stands
 * here.
 *
 * 64-bit little-endian Linux and macOS: CK_ULONG and pointers are 8 bytes, structures are not packed.
 */
import type * as Ffi from 'node:ffi';
import { createRequire } from 'node:module';
import { provisioningError } from '../../errors.ts';
import { CallMemory } from './call-memory.ts';
import { CKR } from './cryptoki-constants.ts';

const P = 'pointer';
const U = 'uint64';
const CALLS = {
  C_Initialize: { arguments: [P], return: U },
  C_Finalize: { arguments: [P], return: U },
  C_GetSlotList: { arguments: ['uint8', P, P], return: U },
  C_GetTokenInfo: { arguments: [U, P], return: U },
  C_InitToken: { arguments: [U, P, U, P], return: U },
  C_InitPIN: { arguments: [U, P, U], return: U },
  C_OpenSession: { arguments: [U, U, P, P, P], return: U },
  C_CloseSession: { arguments: [U], return: U },
  C_Login: { arguments: [U, U, P, U], return: U },
  C_Logout: { arguments: [U], return: U },
  C_GenerateKey: { arguments: [U, P, P, U, P], return: U },
  C_GenerateKeyPair: { arguments: [U, P, P, U, P, U, P, P], return: U },
  C_DestroyObject: { arguments: [U, U], return: U },
  C_FindObjectsInit: { arguments: [U, P, U], return: U },
  C_FindObjects: { arguments: [U, P, U, P], return: U },
  C_FindObjectsFinal: { arguments: [U], return: U },
  C_GetAttributeValue: { arguments: [U, U, P, U], return: U },
  C_SignInit: { arguments: [U, P, U], return: U },
  C_Sign: { arguments: [U, P, U, P, P], return: U },
  C_EncryptInit: { arguments: [U, P, U], return: U },
  C_Encrypt: { arguments: [U, P, U, P, P], return: U },
  C_DecryptInit: { arguments: [U, P, U], return: U },
  C_Decrypt: { arguments: [U, P, U, P, P], return: U },
} as const;

/** The functions of a module. */
export type CryptokiCalls = Ffi.WrappedFunctionsFromDefinitions<typeof CALLS>;

/** A module that is loaded and initialised. */
export interface Cryptoki {
  readonly calls: CryptokiCalls;
  readonly memory: CallMemory;
  close(): void;
}

/** How often each module is open in this process: it is initialised once and finalised with the last. */
const users = new Map<string, number>();

/**
 * Loads a PKCS#11 module.
 *
 * @throws SefleetError `CUSTODY_TOKEN_UNAVAILABLE` when it cannot be loaded or is none.
 */
export function loadCryptoki(path: string): Cryptoki {
  const { calls, addressOf } = load(path);
  const code = Number(calls.C_Initialize(0n));
  if (code !== CKR.OK && code !== CKR.CRYPTOKI_ALREADY_INITIALIZED) {
    throw unavailable(path, `C_Initialize answers 0x${code.toString(16)}`);
  }
  users.set(path, (users.get(path) ?? 0) + 1);
  return {
    calls,
    memory: new CallMemory(addressOf),
    close: () => {
      const left = (users.get(path) ?? 1) - 1;
      users.set(path, left);
      if (left === 0) calls.C_Finalize(0n);
    },
  };
}

function load(path: string): { calls: CryptokiCalls; addressOf: (memory: ArrayBuffer) => bigint } {
  const wide = ['x64', 'arm64'].includes(process.arch) && ['linux', 'darwin'].includes(process.platform);
  if (!wide) throw unavailable(path, `${process.platform}-${process.arch} has another layout of structures`);
  try {
    // Required, not imported: it is needed, and its warning seen, only where tokens are used.
    const ffi = createRequire(import.meta.url)('node:ffi') as typeof Ffi; // what the module is
    const { functions } = ffi.dlopen(path, CALLS);
    return { calls: functions, addressOf: (memory) => ffi.getRawPointer(memory) };
  } catch (cause) {
    throw unavailable(path, 'it cannot be loaded', cause);
  }
}

function unavailable(path: string, why: string, cause?: unknown): Error {
  return provisioningError('CUSTODY_TOKEN_UNAVAILABLE', `the PKCS#11 module ${path}: ${why}`, {
    cause,
    hint: 'Set SEFLEET_PKCS11_MODULE to a PKCS#11 library of this machine, for example libsofthsm2.so.',
  });
}
