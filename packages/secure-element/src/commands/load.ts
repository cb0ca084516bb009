import { createHash } from 'node:crypto';
import { bytesEqual, concatBytes } from '@sefleet/bytes';
import {
  aidBytes,
  coveredByToken,
  decipherCode,
  decodeInstallForLoad,
  decodeLoadFile,
  INSTALL_PROCESS,
  PRIVILEGE,
  STATUS_WORD,
  verifyGp,
} from '@sefleet/globalplatform';
import type { Aid, LoadFile } from '@sefleet/globalplatform';
import type { Answer } from '../applets/applet.ts';
import { decodePackage } from '../applets/package.ts';
import type { LoadFileEntry } from '../card/card-state.ts';
import type { Loading } from '../card/channel.ts';
import { orRefuse, refuse } from '../card/refusal.ts';
import { checkMemory } from '../registry/memory.ts';
import { allLoadFiles, ancestry, hasPrivilege, isBelow } from '../registry/registry.ts';
import { CODE_KEY, codeKey, DAP_KEY, verificationKey } from '../registry/special-keys.ts';
import { authorize, confirm, managingDomain, performingDomain } from './authorization.ts';
import { NO_DATA, selectedDomain } from './command-context.ts';
import type { CommandContext } from './command-context.ts';
import { readAid } from './read-aid.ts';

const MAX_LOAD_BYTES = 65_536;
const MAX_LOAD_FILES = 32;
const LAST = 0x80;
/** Hash algorithms by the length of what they give. */
const HASHES: Readonly<Record<number, string>> = { 20: 'sha1', 32: 'sha256', 48: 'sha384', 64: 'sha512' };

/**
 * INSTALL [for load] (GPCS 2.3.1 §11.5.2.3.1): what the LOAD commands that follow will bring. At the
 * beginning of a combined process it carries no token; the command at the end does.
 */
export function installForLoad(context: CommandContext): Answer {
  const { command, tx, channel } = context;
  const combined = command.p2 === INSTALL_PROCESS.BEGINNING;
  const fields = decodeInstallForLoad(command.data);
  const covered = coveredBy(command.data, fields.token);
  if (combined && fields.token.length > 0) refuse(STATUS_WORD.WRONG_DATA);
  const authority = combined ? undefined : authorize(context, covered, fields.token, fields.parameters);
  const domain = authority?.domain ?? managingDomain(context);
  const loadFile = readAid(fields.loadFile);
  checkRoom(context, loadFile);
  const parent = fields.securityDomain.length === 0 ? domain : tx.domain(readAid(fields.securityDomain));
  if (!isBelow(tx.state, parent, domain.aid)) refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  if (fields.hash.length !== 0 && HASHES[fields.hash.length] === undefined) refuse(STATUS_WORD.WRONG_DATA);
  channel.loading = {
    loadFile,
    parent: parent.aid,
    hash: fields.hash.slice(),
    authority,
    beginning: combined ? coveredByToken(command, covered) : NO_DATA,
    parts: [],
    length: 0,
    complete: false,
  };
  return Uint8Array.of(0);
}

/** LOAD (GPCS 2.3.1 §11.6): blocks in order; the last one makes the load file, or nothing. */
export function load(context: CommandContext): Answer {
  const { command, channel } = context;
  performingDomain(context);
  const { loading } = channel;
  if (loading === undefined || loading.complete) return refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  const inOrder = command.p2 === (loading.parts.length & 0xff) && loading.parts.length < 0x100;
  loading.length += command.data.length;
  if (!inOrder || loading.length > MAX_LOAD_BYTES || (command.p1 & ~LAST) !== 0) {
    channel.loading = undefined;
    return refuse(inOrder ? STATUS_WORD.NOT_ENOUGH_MEMORY : STATUS_WORD.INCORRECT_P1_P2);
  }
  loading.parts.push(command.data.slice());
  if ((command.p1 & LAST) === 0) return NO_DATA;
  channel.loading = undefined;
  checkPlace(context, loading);
  const entry = readLoaded(context, loading);
  if (loading.authority === undefined) {
    loading.complete = true;
    channel.loading = loading;
    return Uint8Array.of(0);
  }
  addLoadFile(context, entry);
  return confirm(context, loading.authority, {
    kind: 'load',
    loadFile: aidBytes(loading.loadFile),
    securityDomain: aidBytes(loading.parent),
  });
}

/**
 * The load file of a combined process, which its last command puts on the card. What the card asks of a load
 * file is asked again: domains may have come meanwhile that want it signed.
 */
export function addLoadedFile(context: CommandContext, loading: Loading): void {
  checkPlace(context, loading);
  addLoadFile(context, readLoaded(context, loading));
}

function addLoadFile({ tx, card }: CommandContext, entry: LoadFileEntry): void {
  tx.patch({ loadFiles: [...tx.state.loadFiles, entry] });
  checkMemory(tx.state, card, entry.parent);
}

/** What held at the beginning has to hold at the end: another channel may have changed the registry. */
function checkPlace(context: CommandContext, { loadFile, parent }: Loading): void {
  checkRoom(context, loadFile);
  const { state } = context.tx;
  const owner = context.tx.find(parent);
  const stands = owner?.kind === 'security-domain' && isBelow(state, owner, selectedDomain(context).aid);
  if (!stands) refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
}

function checkRoom({ tx, card }: CommandContext, loadFile: Aid): void {
  const isTaken =
    tx.find(loadFile) !== undefined ||
    allLoadFiles(tx.state, card.profile).some((file) => file.aid === loadFile);
  if (isTaken) refuse(STATUS_WORD.WRONG_DATA);
  if (tx.state.loadFiles.length >= MAX_LOAD_FILES) refuse(STATUS_WORD.NOT_ENOUGH_MEMORY);
}

function readLoaded(context: CommandContext, loading: Loading): LoadFileEntry {
  const loadFile = decodeLoadFile(concatBytes(...loading.parts));
  const code = codeInClear(context, loadFile, loading.parent);
  checkHash(code, loading.hash);
  checkDaps(context, loadFile.daps, code, loading);
  const { version, modules } = decodePackage(code, loading.loadFile);
  return { aid: loading.loadFile, version, modules, parent: loading.parent, size: code.length };
}

/**
 * The code; ciphered code is read by the domain that it belongs to, or the nearest above with the privilege.
 */
function codeInClear({ tx }: CommandContext, { code }: LoadFile, owner: Aid): Uint8Array {
  if (code instanceof Uint8Array) return code;
  const reader = ancestry(tx.state, tx.domain(owner)).find((domain) =>
    hasPrivilege(domain, PRIVILEGE.CIPHERED_LOAD_FILE),
  );
  const key = orRefuse(reader && codeKey(reader, CODE_KEY), STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  return orRefuse(decipherCode(code, key), STATUS_WORD.WRONG_DATA);
}

function checkHash(code: Uint8Array, expected: Uint8Array): void {
  const algorithm = HASHES[expected.length];
  if (algorithm === undefined) return;
  const hash = createHash(algorithm).update(code).digest();
  if (!bytesEqual(hash, expected)) refuse(STATUS_WORD.WRONG_DATA);
}

/** GPCS 2.3.1 §9.3.8: every DAP has to verify, the mandated one has to be there, and so has the owner's. */
function checkDaps({ tx }: CommandContext, daps: LoadFile['daps'], code: Uint8Array, loading: Loading): void {
  const verified = new Set<string>();
  for (const dap of daps) {
    const domain = tx.domain(readAid(dap.securityDomain));
    const key = verificationKey(domain, DAP_KEY);
    const hash = createHash(HASHES[loading.hash.length] ?? 'sha256')
      .update(code)
      .digest();
    const right = hasPrivilege(domain, PRIVILEGE.DAP_VERIFICATION) && key !== undefined;
    if (!right || !verifyGp(key, hash, dap.signature)) refuse(STATUS_WORD.SECURITY_STATUS_NOT_SATISFIED);
    verified.add(domain.aid);
  }
  for (const entry of tx.state.entries) {
    const mandated = hasPrivilege(entry, PRIVILEGE.MANDATED_DAP);
    const own = entry.aid === loading.parent && hasPrivilege(entry, PRIVILEGE.DAP_VERIFICATION);
    if ((mandated || own) && !verified.has(entry.aid)) refuse(STATUS_WORD.SECURITY_STATUS_NOT_SATISFIED);
  }
}

/** The data field up to the token, which comes last. */
export function coveredBy(data: Uint8Array, token: Uint8Array): Uint8Array {
  const field =
    token.length === 0 ? 1 : token.length + (token.length > 0x7f ? (token.length > 0xff ? 3 : 2) : 1);
  return data.subarray(0, data.length - field);
}
