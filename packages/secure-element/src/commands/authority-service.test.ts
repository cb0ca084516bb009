import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex, toHex } from '@sefleet/bytes';
import {
  aesCmac,
  aid,
  aidBytes,
  encodeSecurityDomainParameters,
  installCommand,
  installForLoadCommand,
  loadCommands,
  plainLink,
  PRIVILEGE,
  putPrivateKeyCommand,
  putSymmetricKeyCommand,
  SET_STATUS_SCOPE,
  setStatusCommand,
  verifyGp,
} from '@sefleet/globalplatform';
import { defineApplet } from '../applets/applet.ts';
import { P256, publicKeyOf } from '../applets/iot-safe/curves.ts';
import { encodePackage } from '../applets/package.ts';
import type { SecureElement } from '../card/secure-element.ts';
import {
  installDomain,
  newCard,
  open,
  seededRng,
  select,
  send,
  statusOf,
  testKeys,
} from '../testing/card-fixture.ts';

const CASD = aid('A0000001515350410D');
const LOAD_FILE = aid('F07365666C656574F1');
const MODULE = aid('F07365666C656574F101');
const ATTESTER = aid('F07365666C656574F1AA');
const SCALAR = seededRng('SK.CASD.AUT').bytes(32);
const AUTHENTICATION = { newVersion: 0x74, keyId: 2 };

/** Has signed what it is sent. */
const ATTESTING_APPLET = defineApplet<number>({
  module: MODULE,
  name: 'attesting',
  install: () => 0,
  process: (command, context) => context.signByAuthority(command.data),
  encode: () => new Uint8Array(0),
  decode: () => 0,
});
const SIGN = { cla: 0x80, ins: 0x10, p1: 0, p2: 0, data: fromHex('0102030405'), le: 0x100 };

async function cardWithAttester(): Promise<SecureElement> {
  const card = newCard({ applets: [ATTESTING_APPLET] });
  const issuer = await open(card);
  await send(issuer, installForLoadCommand({ loadFile: aidBytes(LOAD_FILE) }));
  const code = encodePackage(LOAD_FILE, { version: fromHex('0100'), modules: [MODULE] });
  for (const command of loadCommands({ daps: [], code })) await send(issuer, command);
  const place = { loadFile: aidBytes(LOAD_FILE), module: aidBytes(MODULE), instance: aidBytes(ATTESTER) };
  await send(issuer, installCommand({ ...place, privileges: 0, parameters: fromHex('c900') }));
  return card;
}

async function addAuthority(card: SecureElement): Promise<void> {
  const parameters = encodeSecurityDomainParameters({ controllingAuthority: fromHex('01') });
  await send(await open(card), installDomain(CASD, PRIVILEGE.GLOBAL_SERVICE, parameters));
}

async function attest(card: SecureElement): Promise<Uint8Array> {
  await select(card, ATTESTER);
  return send(plainLink(card.transmit), SIGN);
}

async function refusal(card: SecureElement): Promise<string> {
  await select(card, ATTESTER);
  return statusOf(plainLink(card.transmit), SIGN);
}

test('an application gets the authority domain’s signature over what it gives, and others verify it', async () => {
  const card = await cardWithAttester();
  await addAuthority(card);
  const session = await open(card, CASD);
  await send(session, putPrivateKeyCommand(session, SCALAR, AUTHENTICATION));
  const signature = await attest(card);
  const point = publicKeyOf(P256, SCALAR);
  assert.equal(signature.length, 64);
  assert.ok(verifyGp({ kind: 'ec', point }, SIGN.data, signature));
  assert.ok(!verifyGp({ kind: 'ec', point }, fromHex('0102030406'), signature));
  // Whoever holds the card or manages it gets no signature without an application: there is no such command.
  assert.equal(await statusOf(await open(card, CASD), SIGN), '6d00');
});

test('a domain that shares keys with its authority gives an AES-CMAC', async () => {
  const card = await cardWithAttester();
  await addAuthority(card);
  const { mac } = testKeys('KS.CASD');
  const session = await open(card, CASD);
  await send(session, putSymmetricKeyCommand(session, mac, AUTHENTICATION));
  assert.equal(toHex(await attest(card)), toHex(aesCmac(mac, SIGN.data)));
});

test('nothing is signed without the domain, without its key, and while it is locked', async () => {
  const card = await cardWithAttester();
  assert.equal(await refusal(card), '6985');
  await addAuthority(card);
  assert.equal(await refusal(card), '6985');
  const session = await open(card, CASD);
  await send(session, putPrivateKeyCommand(session, SCALAR, AUTHENTICATION));
  assert.equal((await attest(card)).length, 64);
  const lock = (state: number) => setStatusCommand(SET_STATUS_SCOPE.APPLICATION, state, aidBytes(CASD));
  await send(await open(card), lock(0x80));
  assert.equal(await refusal(card), '6985');
  await send(await open(card), lock(0x00));
  assert.equal((await attest(card)).length, 64);
});

test('a domain with Global Service that was not made for an authority signs nothing', async () => {
  const card = await cardWithAttester();
  await send(await open(card), installDomain(CASD, PRIVILEGE.GLOBAL_SERVICE));
  const session = await open(card, CASD);
  await send(session, putPrivateKeyCommand(session, SCALAR, AUTHENTICATION));
  assert.equal(await refusal(card), '6985');
});

test('a private key that the curve does not have is refused when it is put', async () => {
  const card = newCard();
  const order = fromHex('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551');
  for (const scalar of [
    new Uint8Array(32),
    order,
    new Uint8Array(32).fill(0xff),
    seededRng('short').bytes(16),
  ]) {
    const session = await open(card);
    assert.equal(await statusOf(session, putPrivateKeyCommand(session, scalar, AUTHENTICATION)), '6a80');
  }
});
