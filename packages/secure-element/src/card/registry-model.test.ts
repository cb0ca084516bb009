import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fromHex } from '@sefleet/bytes';
import { isSefleetError } from '@sefleet/errors';
import {
  aid,
  aidBytes,
  deleteCommand,
  installCommand,
  installForExtraditionCommand,
  installForLoadCommand,
  loadCommands,
  openScp03Session,
  plainLink,
  PRIVILEGE,
  putKeysCommand,
  putSymmetricKeyCommand,
  readRegistry,
  selectCommand,
  SET_STATUS_SCOPE,
  setStatusCommand,
  STATUS_SCOPE,
  STATUS_WORD,
  withToken,
} from '@sefleet/globalplatform';
import type { Aid, CommandApdu, SecureChannelSession, StaticKeys } from '@sefleet/globalplatform';
import { encodePackage } from '../applets/package.ts';
import { METERING_LOAD_FILE, METERING_MODULE } from '../applets/metering/identifiers.ts';
import {
  ISSUER_SECURITY_DOMAIN,
  SECURITY_DOMAIN_LOAD_FILE,
  STANDARD_PROFILE,
} from '../profiles/standard-profile.ts';
import {
  installDomain,
  ISSUER_KEYS,
  makeDomain,
  newCard,
  open,
  seededRng,
  send,
  testKeys,
} from '../testing/card-fixture.ts';
import { line, RegistryModel } from '../testing/registry-model.ts';
import type { RegistryStep } from '../testing/registry-model.ts';
import { exportCard, importCard } from './create-card.ts';
import type { SecureElement } from './secure-element.ts';

const MANAGER = aid('A0000001515350F0FF');
const TOKEN_KEY = testKeys('tokens').enc;
const NAMES: readonly Aid[] = Array.from({ length: 5 }, (_, i) => aid(`A0000001515350F00${i}`));
const FILES: readonly Aid[] = [aid('F07365666C65657490'), aid('F07365666C65657491')];
const ALL: readonly Aid[] = [...NAMES, ...FILES, MANAGER, ISSUER_SECURITY_DOMAIN];

const name = fc.constantFrom(...NAMES);
const anything = fc.constantFrom(...ALL);
const everyday = fc.constantFrom(ISSUER_SECURITY_DOMAIN, ISSUER_SECURITY_DOMAIN, MANAGER, MANAGER, ...NAMES);
const step: fc.Arbitrary<RegistryStep> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('install-domain'),
      target: name,
      loadFile: fc.constant(SECURITY_DOMAIN_LOAD_FILE),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('install-application'),
      target: name,
      loadFile: fc.constantFrom(METERING_LOAD_FILE, ...FILES),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('delete'), target: anything, all: fc.boolean() }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constantFrom('lock', 'unlock'), target: anything, all: fc.boolean() }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('extradite'), target: anything, to: anything }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('put-keys') }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('load'), loadFile: fc.constantFrom(...FILES) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('lock-card', 'unlock-card') }) },
) as fc.Arbitrary<RegistryStep>; // the records are the members of the union
/** Whose step it is, and whether the power goes at the write of it or the card is moved before. */
const turn = fc.record({
  actor: everyday,
  step,
  event: fc.constantFrom('none', 'none', 'none', 'power cut', 'move'),
});
type Turn = { readonly actor: Aid; readonly step: RegistryStep; readonly event: string };

class PowerCut extends Error {}

/** The card of a run, its power supply, and who has which keys. */
class Bench {
  card: SecureElement;
  cutting = false;
  readonly ports = {
    rng: seededRng('bench'),
    onCommit: (): void => {
      if (this.cutting) throw new PowerCut();
    },
  };

  constructor() {
    this.card = newCard(this.ports, { ...STANDARD_PROFILE, memoryBytes: 1 << 20 });
  }

  async prepare(): Promise<void> {
    const issuer = await open(this.card);
    await send(issuer, putSymmetricKeyCommand(issuer, TOKEN_KEY, { newVersion: 0x70, keyId: 1 }));
    await makeDomain(this.card, MANAGER, keysOf(MANAGER, 1), PRIVILEGE.DELEGATED_MANAGEMENT);
  }

  move(): void {
    this.card = importCard(exportCard(this.card), this.ports, { anchor: this.card.anchor });
  }
}

function keysOf(owner: Aid, generation: number): StaticKeys {
  return generation === 0 ? ISSUER_KEYS : testKeys(`${owner} ${generation}`);
}

function commandsOf(session: SecureChannelSession, actor: Aid, model: RegistryModel, wanted: RegistryStep) {
  const sign = (command: CommandApdu): CommandApdu =>
    actor === MANAGER ? withToken(command, { kind: 'aes', key: TOKEN_KEY }) : command;
  switch (wanted.kind) {
    case 'install-domain':
      return [sign(installDomain(wanted.target))];
    case 'install-application':
      return [sign(installApplication(wanted.target, wanted.loadFile))];
    case 'delete':
      return [sign(deleteCommand(aidBytes(wanted.target), { related: wanted.all }))];
    case 'lock':
    case 'unlock': {
      const scope = wanted.all ? SET_STATUS_SCOPE.DOMAIN_AND_ITS_APPLICATIONS : SET_STATUS_SCOPE.APPLICATION;
      // 83 and 03 read as lock and unlock only; 07 is a move to SELECTABLE for what is not locked.
      return [setStatusCommand(scope, wanted.kind === 'lock' ? 0x83 : 0x03, aidBytes(wanted.target))];
    }
    case 'extradite':
      return [sign(installForExtraditionCommand(aidBytes(wanted.to), aidBytes(wanted.target)))];
    case 'put-keys': {
      const generation = (model.entries.get(actor)?.keys ?? 0) + 1;
      const oldVersion = generation === 1 ? 0 : 1;
      return [putKeysCommand(session, keysOf(actor, generation), { newVersion: 1, oldVersion })];
    }
    case 'load': {
      const code = encodePackage(wanted.loadFile, { version: fromHex('0100'), modules: [METERING_MODULE] });
      const install = sign(installForLoadCommand({ loadFile: aidBytes(wanted.loadFile) }));
      return [install, ...loadCommands({ daps: [], code })];
    }
    case 'lock-card':
    case 'unlock-card':
      return [setStatusCommand(SET_STATUS_SCOPE.CARD, wanted.kind === 'lock-card' ? 0x7f : 0x0f)];
    default:
      return wanted satisfies never;
  }
}

function installApplication(instance: Aid, loadFile: Aid): CommandApdu {
  const code = { loadFile: aidBytes(loadFile), module: aidBytes(METERING_MODULE) };
  return installCommand({
    ...code,
    instance: aidBytes(instance),
    privileges: 0,
    parameters: fromHex('c900'),
  });
}

/**
 * A session of `actor` with its own domain; undefined when the card gives none. A locked card still opens to
 * its issuer.
 */
async function sessionOf(
  bench: Bench,
  actor: Aid,
  model: RegistryModel,
): Promise<SecureChannelSession | undefined> {
  const { transmit } = bench.card;
  const { sw } = await plainLink(transmit).transmit(selectCommand(aidBytes(actor)));
  if (sw !== STATUS_WORD.OK && sw !== STATUS_WORD.SELECTED_LOCKED) return undefined;
  const { owner, generation } = model.keysOf(actor);
  try {
    const keys = keysOf(owner, generation);
    return await openScp03Session({ transmit, keys, rng: bench.ports.rng, domainAid: aidBytes(actor) });
  } catch (error) {
    if (!isSefleetError(error, 'GP_STATUS_WORD')) throw error;
    return undefined;
  }
}

/** Sends the commands of a step; true when the card has taken all of them. */
async function takeStep(
  bench: Bench,
  session: SecureChannelSession,
  commands: readonly CommandApdu[],
): Promise<boolean> {
  for (const command of commands) if ((await session.transmit(command)).sw !== 0x9000) return false;
  return bench.card.revision > 0;
}

async function playTurn(
  bench: Bench,
  model: RegistryModel,
  { actor, step: wanted, event }: Turn,
): Promise<void> {
  // The issuer's keys stay: it is who looks at the registry.
  if (actor === ISSUER_SECURITY_DOMAIN && wanted.kind === 'put-keys') return;
  // An application opens a channel by its domain's keys, and is no domain by that.
  if (model.entries.get(actor)?.kind === 'application') return;
  if (event === 'move') bench.move();
  const session = await sessionOf(bench, actor, model);
  assert.equal(session !== undefined, model.opens(actor), `a session of ${actor}`);
  if (session === undefined) return;
  const commands = commandsOf(session, actor, model, wanted);
  const before = exportCard(bench.card);
  const where = JSON.stringify([actor, wanted]);
  if (event === 'power cut') {
    bench.cutting = true;
    // What the card refuses writes nothing, so that there is no write at which the power could go.
    await takeStep(bench, session, commands).catch((error: unknown) => assert.ok(error instanceof PowerCut));
    bench.cutting = false;
    assert.deepEqual(exportCard(bench.card), before, `${where}, cut`);
    bench.card.reset();
    return;
  }
  const taken = await takeStep(bench, session, commands);
  assert.equal(taken, model.take(actor, wanted), where);
  if (!taken) assert.deepEqual(exportCard(bench.card), before, `${where}, refused`);
}

async function compare(bench: Bench, model: RegistryModel): Promise<void> {
  const issuer = await sessionOf(bench, ISSUER_SECURITY_DOMAIN, model);
  assert.ok(issuer);
  const preloaded = new Set(STANDARD_PROFILE.loadFiles.map((file) => file.aid));
  const entries = [
    ...(await readRegistry(issuer, STATUS_SCOPE.APPLICATIONS)),
    ...(await readRegistry(issuer, STATUS_SCOPE.LOAD_FILES)).filter((file) => !preloaded.has(file.aid)),
  ];
  const seen = entries.map((entry) => line(entry.aid, entry.lifeCycle, entry.securityDomain, entry.loadFile));
  assert.deepEqual(new Set(seen), model.lines());
}

test('whatever issuer, manager and owners do to a card, its registry is what a plain model says', async () => {
  const property = fc.asyncProperty(fc.array(turn, { maxLength: 30 }), async (turns) => {
    const bench = new Bench();
    await bench.prepare();
    const preloaded = STANDARD_PROFILE.loadFiles.map((file) => file.aid);
    const model = new RegistryModel([ISSUER_SECURITY_DOMAIN, MANAGER], preloaded);
    const maker = {
      kind: 'domain',
      parent: ISSUER_SECURITY_DOMAIN,
      loadFile: SECURITY_DOMAIN_LOAD_FILE,
    } as const;
    model.entries.set(MANAGER, { ...maker, locked: false, keys: 1 });
    for (const each of turns) {
      await playTurn(bench, model, each);
      await compare(bench, model);
    }
  });
  await fc.assert(property, { numRuns: 60 });
});
