import { toHex } from '@sefleet/bytes';
import { isSefleetError } from '@sefleet/errors';
import {
  aidBytes,
  aesKeyCheckValue,
  checkPutKeyResponse,
  decodeCertificate,
  encodeSecurityDomainParameters,
  expectedStatus,
  expectStatus,
  installForPersonalizationCommand,
  putKeysCommand,
  readScenario3Challenge,
  scenario3CertificateCommand,
  STATUS_WORD,
  type Aid,
  type RegistryEntry,
  type SecureChannelSession,
} from '@sefleet/globalplatform';
import { anotherApplet } from '../../domain/card-plan.ts';
import { FIRST_GENERATION, keyVersionOf } from '../../domain/key-versions.ts';
import { partyId, TRUSTED_SERVICE_MANAGER } from '../../domain/party.ts';
import type { SwitchOrder } from '../../domain/switch/switch-order.ts';
import { provisioningError } from '../../errors.ts';
import { AGREED_KEY_VERSION, issueSupplierCertificate, SupplierAgreement } from '../agreement.ts';
import { isPlayedOn } from '../faults.ts';
import { dateOf } from './notify.ts';
import { countReceipts, heldKeys, lookFor, mustSucceed, runScript, type ScriptLine } from '../card-script.ts';
import { installed, type StepContext } from '../step-context.ts';
import { credentialCommands } from '../../manufacture/credential-commands.ts';
import { FIRST_PSK_VERSION } from '../../manufacture/first-keys.ts';
import { credentialLines } from './credential.ts';

const SCALAR_BYTES = 32;
const CHANNEL_KEYS = 3;
const FOREIGN_AUTHORITY = partyId('chip-works');
/** Room for nothing: what a full card looks like to a new domain. */
const NO_ROOM = encodeSecurityDomainParameters({
  secureChannel: { protocol: 0x03, i: 0x70 },
  acceptExtraditionHere: Uint8Array.of(0x20),
  acceptDeletion: Uint8Array.of(0x20),
  quotaBytes: 8,
});

/** The trusted service manager makes the new supplier's domain, allowed by the issuer's token. */
export async function installFreshDomain(context: StepContext): Promise<void> {
  const { fresh, inDoubt, order, endpoint } = context;
  const session = await context.openTsm();
  let counted = 0;
  let entry: RegistryEntry | undefined;
  await runScript(session, [
    countReceipts((count) => (counted = count)),
    lookFor(fresh.domain, (found) => (entry = found)),
  ]);
  await context.countReceiptsFrom(counted);
  if (entry !== undefined && !inDoubt) throw preloaded('the domain of the new supplier exists already');
  if (inDoubt) context.accountForLostReceipts(counted);
  const lines: ScriptLine[] = [];
  if (entry === undefined) {
    const full = isPlayedOn(order, 'se-full', endpoint);
    const allowed = await context.tokens.installDomain(fresh.domain, ...(full ? [NO_ROOM] : []));
    lines.push(await context.delegated(allowed, installed(fresh.domain), noDomain));
  }
  lines.push(...(await credentialLines(context, session, noCredential)));
  await runScript(session, lines);
  if (isPlayedOn(order, 'tsm-preload', endpoint)) await preload(context);
}

/**
 * The new supplier and the card agree on keys through the Controlling Authority's domain. Everything passes
 * the trusted service manager; nothing of it tells the keys.
 */
export async function agreeOnKeys(context: StepContext): Promise<void> {
  const { order, custody, fresh, evidence, rng } = context;
  const vault = custody.vault(order.to);
  const known = await vault.recall(agreementName(context));
  if (context.inDoubt && known !== undefined && (await hasAgreed(context, known))) return;
  const scalar = rng.bytes(SCALAR_BYTES);
  await vault.keep(agreementName(context), scalar);
  const agreement = new SupplierAgreement(vault, scalar, evidence.cardCertificate ?? '');
  const session = await context.openTsm();
  const certificate = await issueSupplierCertificate(custody, order.to, playedTerms(order, context.endpoint));
  checkOfferedCertificate(context, certificate);
  const challenge = await presentCertificate(session, fresh.domain, certificate);
  const answer = await session.transmit(await agreement.command(challenge));
  if (answer.sw === STATUS_WORD.NOT_ENOUGH_MEMORY) throw noRoom();
  if (answer.sw !== STATUS_WORD.OK) throw refused('STORE DATA 3A02', answer.sw);
  if (!agreement.verifies(answer.data)) throw preloaded('the receipt of the agreement does not verify');
  evidence.agreement = await context.sign(order.to, {
    agreement: 'receipt verified',
    keyVersion: AGREED_KEY_VERSION,
  });
}

/** Enters the fresh domain by the way of personalisation, and shows who wants to own it. */
async function presentCertificate(
  session: SecureChannelSession,
  domain: Aid,
  certificate: Uint8Array,
): Promise<Uint8Array> {
  let challenge: Uint8Array = new Uint8Array();
  const enter = mustSucceed(installForPersonalizationCommand(aidBytes(domain)), (sw) =>
    sw === STATUS_WORD.CONDITIONS_NOT_SATISFIED
      ? preloaded('the fresh domain has an owner already')
      : refused('INSTALL [for personalization]', sw),
  );
  const present: ScriptLine = {
    command: scenario3CertificateCommand(certificate),
    take: ({ data, sw }) => {
      if (sw === STATUS_WORD.SECURITY_STATUS_NOT_SATISFIED) throw refused('STORE DATA 3A01', sw);
      if (sw !== STATUS_WORD.OK)
        throw provisioningError(
          'SWITCH_CERTIFICATE_REFUSED',
          `the new supplier's certificate: ${sw.toString(16)}`,
          { context: { sw } },
        );
      challenge = readScenario3Challenge(data);
    },
  };
  await runScript(session, [enter, present]);
  return challenge;
}

/** The new supplier looks what its domain holds, and replaces the agreed keys by its own. */
export async function takePossession(context: StepContext): Promise<void> {
  const { order, custody, fresh, card, evidence, device, store, endpoint } = context;
  const vault = custody.vault(order.to);
  await vault.ensureMaster('domain', FIRST_GENERATION);
  const keys = await vault.diversify('domain', FIRST_GENERATION, device.diversification);
  const newVersion = keyVersionOf(FIRST_GENERATION);
  const lines: ScriptLine[] = [];
  let session = context.inDoubt
    ? await tryOpen(() => card.open('to', fresh.domain, keys, newVersion))
    : undefined;
  if (session === undefined) {
    const scalar = await vault.recall(agreementName(context));
    if (scalar === undefined) throw preloaded('the agreed keys are unknown');
    const agreed = new SupplierAgreement(vault, scalar, evidence.cardCertificate ?? '').keys;
    session = await card.open('to', fresh.domain, agreed, AGREED_KEY_VERSION);
    await checkAgreedKeys(context, session);
    await context.checkpoint();
    const put = putKeysCommand(session, keys, { newVersion, oldVersion: AGREED_KEY_VERSION });
    lines.push({
      command: put,
      take: (answer) =>
        checkPutKeyResponse(expectedStatus(answer, put, 'PUT KEY').data, newVersion, [
          keys.enc,
          keys.mac,
          keys.dek,
        ]),
    });
  }
  await vault.ensureMaster('psk', FIRST_PSK_VERSION);
  const credential = await credentialCommands(session, vault, fresh.credential, endpoint);
  await runScript(session, [
    ...lines,
    heldKeys((held) => {
      evidence.newKeyCheckValues = [keys.enc, keys.mac, keys.dek].map((key) => toHex(aesKeyCheckValue(key)));
      evidence.keyStates.push({ domain: fresh.domain, when: 'after-rotation', keys: held });
    }),
    ...credential.map((command) => mustSucceed(command, (sw) => refused("the account's key", sw))),
  ]);
  const { role, party } = fresh;
  await store.putDomain({
    endpoint,
    domain: fresh.domain,
    role,
    party,
    generation: FIRST_GENERATION,
    rotatedAt: undefined,
    records: await appletFor(context),
  });
  await vault.forget(agreementName(context));
}

/** Before the first key of its own goes in: nobody else has put one there. */
async function checkAgreedKeys(
  { fresh, evidence }: StepContext,
  session: SecureChannelSession,
): Promise<void> {
  await runScript(session, [
    heldKeys((held) => {
      evidence.keyStates.push({ domain: fresh.domain, when: 'after-agreement', keys: held });
      const onlyAgreed =
        held.length === CHANNEL_KEYS &&
        held.every((key) => key.endsWith(toHex(Uint8Array.of(AGREED_KEY_VERSION))));
      if (!onlyAgreed) throw preloaded(`the domain holds ${held.join(' ')}`);
    }),
  ]);
}

/**
 * Which applet will seal for the new stakeholder: the one that is handed over to it, or, where it comes
 * beside another, one that nobody on the card has.
 */
async function appletFor({ order, store, endpoint, fresh, plannedRecords }: StepContext) {
  const states = await store.domains(endpoint);
  if (order.verb !== 'add') return states.find(({ party }) => party === order.from)?.records;
  const others = states.filter(({ domain }) => domain !== fresh.domain);
  const taken = new Set<string>([plannedRecords, ...others.flatMap(({ records }) => records ?? [])]);
  if (!taken.has(fresh.records)) return fresh.records;
  for (let number = 1; ; number++) {
    const records = anotherApplet(fresh.records, number);
    if (!taken.has(records)) return records;
  }
}

/** Where the new supplier's vault keeps the ephemeral key of an agreement. */
export function agreementName({ order, endpoint }: StepContext): string {
  return `agreement ${order.switchId} ${endpoint}`;
}

/** After a doubt: a session under the agreed keys proves as much as the receipt that went missing. */
async function hasAgreed(context: StepContext, scalar: Uint8Array): Promise<boolean> {
  const { order, custody, evidence, card, fresh } = context;
  const { keys } = new SupplierAgreement(custody.vault(order.to), scalar, evidence.cardCertificate ?? '');
  const session = await tryOpen(() => card.open('to', fresh.domain, keys, AGREED_KEY_VERSION));
  if (session === undefined) return false;
  evidence.agreement = await context.sign(order.to, {
    agreement: 'proved by a session',
    keyVersion: AGREED_KEY_VERSION,
  });
  return true;
}

/** A session, or undefined when the card does not know the keys; other failures are thrown. */
async function tryOpen(open: () => Promise<SecureChannelSession>): Promise<SecureChannelSession | undefined> {
  try {
    return await open();
  } catch (error) {
    const unknown = isSefleetError(error, 'GP_CARD_NOT_AUTHENTIC') || isSefleetError(error, 'GP_STATUS_WORD');
    if (unknown) return undefined;
    throw error;
  }
}

/**
 * A card has no clock: that a certificate has ended, the trusted service manager has to see before it
 * passes it on. Whose it is, the card sees for itself.
 */
function checkOfferedCertificate({ now }: StepContext, certificate: Uint8Array): void {
  const { expiration } = decodeCertificate(certificate);
  if (dateOf(now()) <= expiration) return;
  const ended = expiration.replace(/^(....)(..)(..)$/, '$1-$2-$3');
  throw provisioningError('SWITCH_CERTIFICATE_REFUSED', `the new supplier's certificate ended on ${ended}`);
}

/** The faults: a certificate of another authority, or one that ended long ago. */
function playedTerms(order: SwitchOrder, endpoint: string) {
  if (isPlayedOn(order, 'foreign-certificate', endpoint)) return { authority: FOREIGN_AUTHORITY };
  return isPlayedOn(order, 'expired-certificate', endpoint) ? { expiration: '20200101' } : {};
}

/** The fault: a trusted service manager that loads keys of its own into the domain before its owner comes. */
async function preload({ card, fresh, custody, device, rng, inDoubt }: StepContext): Promise<void> {
  const vault = custody.vault(TRUSTED_SERVICE_MANAGER);
  const inherited = await vault.diversify('domain', FIRST_GENERATION, device.diversification);
  const open = () => card.open('tsm', fresh.domain, inherited, keyVersionOf(FIRST_GENERATION));
  const session = inDoubt ? await tryOpen(open) : await open();
  // Its keys are there already: those that it came with open nothing any more.
  if (session === undefined) return;
  const own = { enc: rng.bytes(16), mac: rng.bytes(16), dek: rng.bytes(16) };
  await expectStatus(session, putKeysCommand(session, own, { newVersion: 0x20 }), 'PUT KEY');
}

function preloaded(message: string): Error {
  return provisioningError('SWITCH_DOMAIN_PRELOADED', message);
}

function noDomain(sw: number): Error {
  return sw === STATUS_WORD.NOT_ENOUGH_MEMORY ? noRoom() : refused('INSTALL of the new domain', sw);
}

function noCredential(sw: number): Error {
  return sw === STATUS_WORD.NOT_ENOUGH_MEMORY ? noRoom() : refused('INSTALL of the new credential', sw);
}

function noRoom(): Error {
  return provisioningError('SWITCH_CARD_FULL', 'the card has no room for the new supplier');
}

function refused(what: string, sw: number): Error {
  return provisioningError('PROVISIONING_CARD_REFUSED', `${what}: ${sw.toString(16)}`, { context: { sw } });
}
