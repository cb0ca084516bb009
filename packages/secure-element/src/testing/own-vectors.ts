import { createPrivateKey } from 'node:crypto';
import { fromHex, toHex } from '@sefleet/bytes';
import {
  aidBytes,
  CERTIFICATE_USAGE,
  ecPoint,
  encodeCertificate,
  getDataCommand,
  getStatusCommand,
  openScp03Session,
  openScp11Session,
  putPrivateKeyCommand,
  putPublicKeyCommand,
  selectCommand,
  STATUS_SCOPE,
} from '@sefleet/globalplatform';
import type { CardLink, Scp11Variant, SecurityLevel, Transmit } from '@sefleet/globalplatform';
import type { SecureElement } from '../card/secure-element.ts';
import { ISSUER_SECURITY_DOMAIN, STANDARD_PROFILE } from '../profiles/standard-profile.ts';
import { ISSUER_KEYS, newCard, open, seededRng, send, testKeys } from './card-fixture.ts';
import { createCard } from '../card/create-card.ts';

/** One session as it travels. */
export interface SessionVector {
  readonly name: string;
  readonly exchanges: readonly (readonly [command: string, response: string])[];
}

/** The host's private key of the vectors; a fixed number, for nothing else. */
const HOST_SCALAR = fromHex('01'.repeat(32));
const CARD_SCALAR = fromHex('02'.repeat(32));
const AUTHORITY_SCALAR = fromHex('03'.repeat(32));
const AUTHORITY_PLACE = { newVersion: 0x11, keyId: 0x10 };
const CARD_KEY = { newVersion: 0x12, keyId: 0x11 };

/**
 * Sessions for which no vectors are published: SCP03 in S16 mode and with AES-192 and AES-256 keys, with
 * random challenges (i=60), and SCP11 a, b and c. Every random number is fixed, so the bytes are the same in
 * each run.
 */
export async function makeOwnVectors(): Promise<readonly SessionVector[]> {
  const vectors: SessionVector[] = [];
  for (const [i, keyLength] of [
    [0x71, 16],
    [0x71, 32],
    [0x70, 24],
    [0x60, 16],
    [0x61, 32],
  ] as const) {
    for (const level of [0x03, 0x33] as const) {
      vectors.push(await scp03Vector(i, keyLength, level));
    }
  }
  for (const variant of ['a', 'b', 'c'] as const) vectors.push(await scp11Vector(variant));
  return vectors;
}

async function scp03Vector(i: number, keyLength: number, level: SecurityLevel): Promise<SessionVector> {
  const keys = testKeys(`vector ${keyLength}`, keyLength);
  const card = createCard(
    { ...STANDARD_PROFILE, scp03: i },
    {
      diversificationData: fromHex('00010203040506070809'),
      issuerIdentification: fromHex('49440123'),
      cardImageNumber: fromHex('0000000000000001'),
      issuerKeys: { version: 0x30, ...keys },
    },
    { rng: seededRng(`card ${i}`) },
  );
  const { transmit, exchanges } = recorded(card);
  const challengeLength = (i & 1) === 0 ? 8 : 16;
  const session = await openScp03Session({ transmit, keys, level, challengeLength, rng: seededRng('host') });
  await work(session);
  return { name: `SCP03 i=${i.toString(16)} AES-${keyLength * 8} level ${level.toString(16)}`, exchanges };
}

async function scp11Vector(variant: Scp11Variant): Promise<SessionVector> {
  const card = newCard();
  const authority = privateKey(AUTHORITY_SCALAR);
  const session = await open(card, ISSUER_SECURITY_DOMAIN, ISSUER_KEYS);
  await send(session, putPublicKeyCommand({ point: ecPoint(authority) }, AUTHORITY_PLACE));
  await send(session, putPrivateKeyCommand(session, CARD_SCALAR, CARD_KEY));
  card.transmit(fromHex('00A4040000'));
  const certificate = encodeCertificate(
    {
      serialNumber: fromHex('01'),
      authority: fromHex('4341'),
      subject: fromHex('4f4345'),
      usage: CERTIFICATE_USAGE.KEY_AGREEMENT,
      expiration: '20301231',
      publicKey: ecPoint(privateKey(HOST_SCALAR)),
    },
    authority,
  );
  const host = {
    privateScalar: HOST_SCALAR,
    // ECDSA signatures differ in each run; the vectors leave the certificate out and the card is given it
    // before.
    certificates: [certificate],
    authorityKeyVersion: AUTHORITY_PLACE.newVersion,
    authorityKeyId: AUTHORITY_PLACE.keyId,
  };
  const { transmit, exchanges } = recorded(card);
  const link = await openScp11Session({
    transmit,
    variant,
    cardPoint: ecPoint(privateKey(CARD_SCALAR)),
    keyVersion: CARD_KEY.newVersion,
    keyId: CARD_KEY.keyId,
    rng: seededRng('host'),
    ...(variant === 'b' ? {} : { host }),
  });
  await work(link);
  const withoutCertificate = exchanges.filter(([command]) => !command.startsWith('802a'));
  return { name: `SCP11${variant} AES-128`, exchanges: withoutCertificate };
}

async function work(link: CardLink): Promise<void> {
  await link.transmit(getDataCommand(0x00cf));
  await link.transmit(getStatusCommand(STATUS_SCOPE.ISSUER_SECURITY_DOMAIN));
  await link.transmit(selectCommand(aidBytes(ISSUER_SECURITY_DOMAIN)));
}

function recorded(card: SecureElement): {
  readonly transmit: Transmit;
  readonly exchanges: [string, string][];
} {
  const exchanges: [string, string][] = [];
  const transmit = (apdu: Uint8Array): Uint8Array => {
    const response = card.transmit(apdu);
    exchanges.push([toHex(apdu), toHex(response)]);
    return response;
  };
  return { transmit, exchanges };
}

function privateKey(scalar: Uint8Array) {
  const pkcs8 = fromHex(
    `3041020100301306072a8648ce3d020106082a8648ce3d030107042730250201010420${toHex(scalar)}`,
  );
  return createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' });
}
