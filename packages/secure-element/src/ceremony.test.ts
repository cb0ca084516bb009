import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex, toHex } from '@sefleet/bytes';
import { decodeSealedRecord, openTelemetryRecord } from '@sefleet/cose';
import { isSefleetError } from '@sefleet/errors';
import {
  aidBytes,
  decodeReceipt,
  deleteCommand,
  deleteKeyCommand,
  ecPoint,
  getDataCommand,
  installForExtraditionCommand,
  installForPersonalizationCommand,
  openScp03Session,
  plainLink,
  putKeysCommand,
  readKeyInformation,
  readRegistry,
  readScenario3Challenge,
  Scenario3Agreement,
  scenario3CertificateCommand,
  SCENARIO3_PARAMETER,
  SECURITY_DOMAIN_LIFE_CYCLE,
  selectCommand,
  STATUS_SCOPE,
  storeDataCommands,
  verifyCertificate,
  verifyReceipt,
  withToken,
} from '@sefleet/globalplatform';
import type { CardLink, StaticKeys } from '@sefleet/globalplatform';
import { SECURITY_DOMAIN_LOAD_FILE } from './profiles/standard-profile.ts';
import { recordAccountCommands } from './clients/record-account.ts';
import { cutOverOrder, RecordsClient } from './clients/records-client.ts';
import type { CardDoor } from './testing/card-fixture.ts';
import {
  installDomain,
  ISSUER_KEYS,
  open,
  seededRng,
  select,
  send,
  sendAll,
  statusOf,
} from './testing/card-fixture.ts';
import {
  AUTHORITY,
  CARD_UNIQUE_DATA,
  CUT_OVER,
  METER,
  METER_APPLET,
  meterInTheField,
  NEW_SUPPLIER,
  NEW_SUPPLIER_CERTIFICATE,
  OLD_SUPPLIER,
  PARTIES,
  stagedAccount,
  TSM,
} from './testing/switch-fixture.ts';

const { issuer, tsm, oldSupplier, newSupplier, authority } = PARTIES;
const ELF = aidBytes(SECURITY_DOMAIN_LOAD_FILE);
const PARAMETERS = {
  parameter: SCENARIO3_PARAMETER.DERIVATION_RANDOM | SCENARIO3_PARAMETER.CERTIFICATE,
  keyVersion: 2,
  keyId: 1,
  keyLength: 16,
} as const;

/** Everything that the TSM sees pass. */
interface Transcript {
  readonly bytes: Uint8Array[];
}

async function authorityDomainPoint(card: CardDoor): Promise<Uint8Array> {
  await select(card, AUTHORITY);
  const { data } = await plainLink(card.transmit).transmit(getDataCommand(0x7f21));
  const certificate = verifyCertificate(data, ecPoint(authority.key), '20260101');
  assert.equal(toHex(certificate.subject), toHex(CARD_UNIQUE_DATA), 'the certificate is of this meter');
  return certificate.publicKey;
}

async function openTsm(card: CardDoor, transcript?: Transcript): Promise<CardLink> {
  await select(card, TSM);
  return await openScp03Session({
    transmit: card.transmit,
    keys: tsm.keys,
    rng: seededRng('tsm'),
    trace: ({ command, response, plain }) =>
      transcript?.bytes.push(command, response, plain?.data ?? new Uint8Array(0)),
  });
}

/** Step 4: a domain for the new supplier, on the issuer's token. The receipt's counter. */
async function makeNewDomain(tsmLink: CardLink): Promise<number> {
  const response = await send(tsmLink, withToken(installDomain(NEW_SUPPLIER), issuer.tokenKey));
  const context = { kind: 'install', loadFile: ELF, application: aidBytes(NEW_SUPPLIER) } as const;
  return verifyReceipt(response, issuer.receiptKey, context).confirmation.counter;
}

/** Step 5: keys that only the new supplier and the card have. */
async function agree(tsmLink: CardLink, point: Uint8Array): Promise<StaticKeys> {
  await send(tsmLink, installForPersonalizationCommand(aidBytes(NEW_SUPPLIER)));
  const challenge = readScenario3Challenge(
    await send(tsmLink, scenario3CertificateCommand(NEW_SUPPLIER_CERTIFICATE)),
  );
  const agreement = new Scenario3Agreement({
    parameters: PARAMETERS,
    signingKey: newSupplier.signingKey,
    authorityDomainPoint: point,
    ephemeralScalar: seededRng('ephemeral').bytes(32),
  });
  return agreement.finish(await send(tsmLink, agreement.command(challenge)));
}

test('the supplier switch, step by step: nobody but the new supplier and the card has its keys', async (t) => {
  const card = await meterInTheField();
  const meter = new RecordsClient(card.transmit, METER_APPLET);
  const transcript: Transcript = { bytes: [] };
  meter.seal({ timestampMs: 1, values: [[1, 100]] });
  let counter = 0;
  let agreed: StaticKeys = ISSUER_KEYS;
  const point = await authorityDomainPoint(card);

  await t.test('4: the TSM makes the domain on the issuer’s token and the card gives a receipt', async () => {
    counter = await makeNewDomain(await openTsm(card, transcript));
    assert.equal(counter, 4, 'three receipts when the meter was built, and this one');
  });

  await t.test(
    '5: the new supplier agrees on keys through the TSM, and the receipt is the commit point',
    async () => {
      agreed = await agree(await openTsm(card, transcript), point);
    },
  );

  await t.test(
    '6: with them it opens its domain, sees that nobody put keys there before, rotates away and stages its record key',
    async () => {
      const first = await open(card, NEW_SUPPLIER, agreed, { keyVersion: 2 });
      const versions = new Set((await readKeyInformation(first)).map((key) => key.keyVersion));
      assert.deepEqual([...versions], [2]);
      await send(first, putKeysCommand(first, newSupplier.keys, { oldVersion: 2, newVersion: 3 }));
      const session = await open(card, NEW_SUPPLIER, newSupplier.keys, { keyVersion: 3 });
      await sendAll(session, recordAccountCommands(session, stagedAccount()));
    },
  );

  await t.test('7: one command seals the cut-over reading for both, each under its own key', () => {
    const order = cutOverOrder(NEW_SUPPLIER, CUT_OVER.activation);
    const reading = { timestampMs: CUT_OVER.instantMs, values: [[1, 250]] } as const;
    const { closing, opening } = meter.handOver(order, reading);
    const last = openTelemetryRecord(decodeSealedRecord(closing), oldSupplier.recordKey, METER);
    const first = openTelemetryRecord(decodeSealedRecord(opening), newSupplier.recordKey, METER);
    assert.deepEqual(last, { sequence: 2, ...reading });
    assert.deepEqual(first, { sequence: 3, ...reading });
  });

  await t.test('8: the applet moves on a token, and the receipt counts on', async () => {
    const tsmLink = await openTsm(card, transcript);
    const move = installForExtraditionCommand(aidBytes(NEW_SUPPLIER), aidBytes(METER_APPLET));
    const response = await send(tsmLink, withToken(move, issuer.tokenKey));
    const [from, application, to] = [OLD_SUPPLIER, METER_APPLET, NEW_SUPPLIER].map(aidBytes);
    assert.ok(from !== undefined && application !== undefined && to !== undefined);
    verifyReceipt(response, issuer.receiptKey, { kind: 'extradition', from, application, to }, counter);
  });

  await t.test('9: the first record under the new key follows the last under the old one', () => {
    const sealed = decodeSealedRecord(meter.seal({ timestampMs: 3000, values: [[1, 251]] }));
    assert.equal(sealed.sequence, 4);
    assert.throws(() => openTelemetryRecord(sealed, oldSupplier.recordKey, METER), isSefleetError);
    assert.deepEqual(openTelemetryRecord(sealed, newSupplier.recordKey, METER).values, [[1, 251]]);
  });

  await t.test('10: the old supplier deletes its keys, and its domain goes on a token', async () => {
    await send(await open(card, OLD_SUPPLIER, oldSupplier.keys), deleteKeyCommand({ keyVersion: 1 }));
    const tsmLink = await openTsm(card, transcript);
    const response = await send(tsmLink, withToken(deleteCommand(aidBytes(OLD_SUPPLIER)), issuer.tokenKey));
    verifyReceipt(
      response,
      issuer.receiptKey,
      { kind: 'delete', object: aidBytes(OLD_SUPPLIER) },
      counter + 1,
    );
    const left = await readRegistry(await open(card), STATUS_SCOPE.APPLICATIONS);
    assert.ok(!left.some((entry) => entry.aid === OLD_SUPPLIER));
    const applet = left.find((entry) => entry.aid === METER_APPLET);
    assert.equal(applet?.securityDomain, NEW_SUPPLIER);
  });

  await t.test('no key of the new supplier was ever in what the TSM saw', () => {
    const seen = Buffer.concat(transcript.bytes);
    for (const secret of [
      ...Object.values(agreed),
      ...Object.values(newSupplier.keys),
      newSupplier.recordKey,
    ]) {
      assert.equal(seen.includes(Buffer.from(secret)), false);
    }
  });
});

test('keys that the TSM puts into the new domain first are seen by the new supplier', async () => {
  const card = await meterInTheField();
  const point = await authorityDomainPoint(card);
  await makeNewDomain(await openTsm(card));
  const inherited = await open(card, NEW_SUPPLIER, tsm.keys);
  const keys = putKeysCommand(inherited, tsm.keys, { newVersion: 9 });
  await send(inherited, keys);
  // The domain is personalised by that, so the agreement through the TSM is over before it begins.
  await assert.rejects(agree(await openTsm(card), point), (error) => isSefleetError(error, 'GP_STATUS_WORD'));
});

test('tokens hold for their command and AID only, and not without Delegated Management', async () => {
  const card = await meterInTheField();
  const link = await openTsm(card);
  const signed = withToken(installDomain(NEW_SUPPLIER), issuer.tokenKey);
  const otherAid = signed.data.slice();
  otherAid[26] = 0x7f;
  assert.equal(await statusOf(link, { ...signed, data: otherAid }), '6982');
  assert.equal(await statusOf(link, installDomain(NEW_SUPPLIER)), '6982');
  assert.equal(await statusOf(link, withToken(installDomain(NEW_SUPPLIER), newSupplier.signingKey)), '6982');
  const supplier = await open(card, OLD_SUPPLIER, oldSupplier.keys);
  assert.equal(await statusOf(supplier, signed), '6985');
  assert.equal(decodeReceipt(await send(await openTsm(card), signed))?.confirmation.counter, 4);
  assert.equal(await statusOf(await openTsm(card), signed), '6a80', 'a replayed token finds its AID taken');
});

test('a challenge of the agreement serves once, for one domain and one provider', async () => {
  const card = await meterInTheField();
  const point = await authorityDomainPoint(card);
  const link = await openTsm(card);
  await makeNewDomain(link);
  await send(link, installForPersonalizationCommand(aidBytes(NEW_SUPPLIER)));
  const challenge = readScenario3Challenge(
    await send(link, scenario3CertificateCommand(NEW_SUPPLIER_CERTIFICATE)),
  );
  const options = {
    parameters: PARAMETERS,
    authorityDomainPoint: point,
    ephemeralScalar: seededRng('e').bytes(32),
  };
  const impostor = new Scenario3Agreement({ ...options, signingKey: issuer.tokenKey });
  assert.equal(await statusOf(link, impostor.command(challenge)), '6982');
  const right = new Scenario3Agreement({ ...options, signingKey: newSupplier.signingKey });
  assert.equal(await statusOf(link, right.command(challenge)), '6a86', 'the sequence is over');
  assert.equal(
    await statusOf(link, { ...right.command(challenge), p2: 0 }),
    '6985',
    'and so is the challenge',
  );
});

test('a provider without a certificate of this authority is refused', async () => {
  const card = await meterInTheField();
  const link = await openTsm(card);
  await makeNewDomain(link);
  await send(link, installForPersonalizationCommand(aidBytes(NEW_SUPPLIER)));
  const forged = NEW_SUPPLIER_CERTIFICATE.slice();
  forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1;
  assert.equal(await statusOf(link, scenario3CertificateCommand(forged)), '6a80');
});

test('neither issuer nor TSM nor the other supplier gets into a personalised domain', async () => {
  const card = await meterInTheField();
  for (const keys of [ISSUER_KEYS, tsm.keys, newSupplier.keys]) {
    await assert.rejects(open(card, OLD_SUPPLIER, keys), (error) =>
      isSefleetError(error, 'GP_CARD_NOT_AUTHENTIC'),
    );
  }
  const link = await openTsm(card);
  assert.equal(await statusOf(link, installForPersonalizationCommand(aidBytes(OLD_SUPPLIER))), '6985');
  assert.equal(await statusOf(link, installForPersonalizationCommand(aidBytes(METER_APPLET))), '6985');
  const root = await open(card);
  assert.equal(await statusOf(root, installForPersonalizationCommand(aidBytes(OLD_SUPPLIER))), '6985');
});

test('an old session of a supplier whose domain was deleted is worth nothing', async () => {
  const card = await meterInTheField();
  const channel = 1;
  card.transmit(fromHex('0070000001'));
  await plainLink(card.transmit).transmit({ ...selectCommand(aidBytes(OLD_SUPPLIER)), cla: 0x01 });
  const old = await openScp03Session({
    transmit: card.transmit,
    keys: oldSupplier.keys,
    rng: seededRng('h'),
    channel,
  });
  const root = await open(card);
  const gone = deleteCommand(aidBytes(OLD_SUPPLIER), { related: true });
  assert.equal(await statusOf(root, gone), '6985', 'not while it is selected');
  for (const command of storeDataCommands(fromHex('5f500161'), { format: 'ber-tlv' }))
    await send(old, command);
  await send(old, deleteKeyCommand({ keyVersion: 1 }));
  assert.equal(await statusOf(old, selectCommand(aidBytes(OLD_SUPPLIER))), '9000');
});

/** What the new supplier wrote down; it survives a crash of everything else. */
interface Journal {
  agreed: StaticKeys | undefined;
}

/** Brings steps 4 to 6 to their end from wherever they stand, as the parties do after a crash. */
async function finishTakeover(card: CardDoor, journal: Journal, point: Uint8Array): Promise<void> {
  const find = async () =>
    (await readRegistry(await open(card), STATUS_SCOPE.APPLICATIONS)).find(
      (entry) => entry.aid === NEW_SUPPLIER,
    );
  let domain = await find();
  if (domain?.lifeCycle === SECURITY_DOMAIN_LIFE_CYCLE.PERSONALIZED && journal.agreed === undefined) {
    // The card agreed and the answer was lost: nobody has these keys, so the domain goes and is made again.
    await send(await openTsm(card), withToken(deleteCommand(aidBytes(NEW_SUPPLIER)), issuer.tokenKey));
    domain = undefined;
  }
  if (domain === undefined) await makeNewDomain(await openTsm(card));
  journal.agreed ??= await agree(await openTsm(card), point);
  const rotated = await open(card, NEW_SUPPLIER, newSupplier.keys, { keyVersion: 3 }).catch(
    (error: unknown) => {
      if (isSefleetError(error)) return undefined;
      throw error;
    },
  );
  if (rotated !== undefined) return;
  const first = await open(card, NEW_SUPPLIER, journal.agreed, { keyVersion: 2 });
  await send(first, putKeysCommand(first, newSupplier.keys, { oldVersion: 2, newVersion: 3 }));
}

for (const lost of ['the power before the write', 'the answer after the write'] as const) {
  test(`a takeover that loses ${lost}, at any write, is brought to its end by trying again`, async () => {
    for (let at = 1; ; at++) {
      let writes = 0;
      let armed = false;
      const crash = new RangeError('crash');
      const card = await meterInTheField({
        onCommit: () => {
          if (armed && ++writes === at && lost === 'the power before the write') throw crash;
        },
      });
      const transmit = (apdu: Uint8Array): Uint8Array => {
        const before = writes;
        const response = card.transmit(apdu);
        if (armed && before < at && writes >= at) throw crash;
        return response;
      };
      const point = await authorityDomainPoint(card);
      const journal: Journal = { agreed: undefined };
      armed = true;
      const outcome = await finishTakeover({ transmit }, journal, point).then(
        () => 'done',
        (error: unknown) => error,
      );
      armed = false;
      card.reset();
      await finishTakeover(card, journal, point);
      const session = await open(card, NEW_SUPPLIER, newSupplier.keys, { keyVersion: 3 });
      assert.deepEqual([...new Set((await readKeyInformation(session)).map((key) => key.keyVersion))], [3]);
      if (outcome === 'done') break;
      assert.equal(outcome, crash, `write ${at}`);
      assert.ok(at < 50, 'the takeover does not end');
    }
  });
}
