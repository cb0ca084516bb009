import { createHash } from 'node:crypto';
import { bytesEqual, concatBytes } from '@sefleet/bytes';
import {
  aidBytes,
  decodeInstallForLoad,
  decodeLoadFile,
  PRIVILEGE,
  STATUS_WORD,
  verifyGp,
} from '@sefleet/globalplatform';
import type { LoadFile } from '@sefleet/globalplatform';
import type { Answer } from '../applets/applet.ts';
import { decodePackage } from '../applets/package.ts';
import type { Loading } from '../card/channel.ts';
import { orRefuse, refuse } from '../card/refusal.ts';
import { checkMemory } from '../registry/memory.ts';
import { allLoadFiles, hasPrivilege, isBelow } from '../registry/registry.ts';
import { DAP_KEY, verificationKey } from '../registry/special-keys.ts';
import { authorize, confirm, performingDomain } from './authorization.ts';
import { NO_DATA } from './command-context.ts';
import type { CommandContext } from './command-context.ts';
import { readAid } from './read-aid.ts';

const MAX_LOAD_BYTES = 65_536;
const MAX_LOAD_FILES = 32;
const LAST = 0x80;
/** Hash algorithms by the length of what they give. */
const HASHES: Readonly<Record<number, string>> = { 20: 'sha1', 32: 'sha256', 48: 'sha384', 64: 'sha512' };

/** INSTALL [for load] (GPCS 2.3.1 §11.5.2.3.1): what the LOAD commands that follow will bring. */
export function installForLoad(context: CommandContext): Answer {
  const { command, tx, channel, card } = context;
  const fields = decodeInstallForLoad(command.data);
  const covered = coveredBy(command.data, fields.token);
  const authority = authorize(context, covered, fields.token, fields.parameters);
  const loadFile = readAid(fields.loadFile);
  if (
    tx.find(loadFile) !== undefined ||
    allLoadFiles(tx.state, card.profile).some((file) => file.aid === loadFile)
  ) {
    refuse(STATUS_WORD.WRONG_DATA);
  }
  if (tx.state.loadFiles.length >= MAX_LOAD_FILES) refuse(STATUS_WORD.NOT_ENOUGH_MEMORY);
  const parent =
    fields.securityDomain.length === 0 ? authority.domain : tx.domain(readAid(fields.securityDomain));
  if (!isBelow(tx.state, parent, authority.domain.aid)) refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  if (fields.hash.length !== 0 && HASHES[fields.hash.length] === undefined) refuse(STATUS_WORD.WRONG_DATA);
  channel.loading = {
    loadFile,
    parent: parent.aid,
    hash: fields.hash.slice(),
    authority,
    parts: [],
    length: 0,
  };
  return Uint8Array.of(0);
}

/** LOAD (GPCS 2.3.1 §11.6): blocks in order; the last one makes the load file, or nothing. */
export function load(context: CommandContext): Answer {
  const { command, channel } = context;
  performingDomain(context);
  const loading = orRefuse(channel.loading, STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  const inOrder = command.p2 === (loading.parts.length & 0xff) && loading.parts.length < 0x100;
  loading.length += command.data.length;
  if (!inOrder || loading.length > MAX_LOAD_BYTES || (command.p1 & ~LAST) !== 0) {
    channel.loading = undefined;
    return refuse(inOrder ? STATUS_WORD.NOT_ENOUGH_MEMORY : STATUS_WORD.INCORRECT_P1_P2);
  }
  loading.parts.push(command.data.slice());
  if ((command.p1 & LAST) === 0) return NO_DATA;
  channel.loading = undefined;
  return finish(context, loading);
}

function finish(context: CommandContext, loading: Loading): Answer {
  const { tx, card } = context;
  const bytes = concatBytes(...loading.parts);
  const loadFile = decodeLoadFile(bytes);
  checkHash(loadFile, loading.hash);
  checkDaps(context, loadFile, loading);
  const { version, modules } = decodePackage(loadFile.code, loading.loadFile);
  const entry = {
    aid: loading.loadFile,
    version,
    modules,
    parent: loading.parent,
    size: loadFile.code.length,
  };
  tx.patch({ loadFiles: [...tx.state.loadFiles, entry] });
  checkMemory(tx.state, card, loading.parent);
  return confirm(context, loading.authority, {
    kind: 'load',
    loadFile: aidBytes(loading.loadFile),
    securityDomain: aidBytes(loading.parent),
  });
}

function checkHash(loadFile: LoadFile, expected: Uint8Array): void {
  const algorithm = HASHES[expected.length];
  if (algorithm === undefined) return;
  const hash = createHash(algorithm).update(loadFile.code).digest();
  if (!bytesEqual(hash, expected)) refuse(STATUS_WORD.WRONG_DATA);
}

/** GPCS 2.3.1 §9.3.8: every DAP has to verify, the mandated one has to be there, and so has the owner's. */
function checkDaps(context: CommandContext, loadFile: LoadFile, loading: Loading): void {
  const { tx } = context;
  const verified = new Set<string>();
  for (const dap of loadFile.daps) {
    const domain = tx.domain(readAid(dap.securityDomain));
    const key = verificationKey(domain, DAP_KEY);
    const hash = createHash(HASHES[loading.hash.length] ?? 'sha256')
      .update(loadFile.code)
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
