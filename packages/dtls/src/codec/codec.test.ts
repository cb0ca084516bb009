import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fromHex } from '@sefleet/bytes';
import { isSefleetError } from '@sefleet/errors';
import fc from 'fast-check';
import { decodeAlert, encodeAlert } from './alert.ts';
import {
  decodeCertificate,
  decodeCertificateRequest,
  encodeCertificate,
  encodeCertificateRequest,
} from './certificate.ts';
import {
  decodeOpaque8,
  decodeRecordSizeLimit,
  decodeServerName,
  decodeU16List,
  encodeOpaque8,
  encodeRecordSizeLimit,
  encodeServerName,
  encodeU16List,
} from './extensions.ts';
import { decodeHandshakeFragments, encodeHandshakeHeader, encodeWholeMessage } from './handshake-fragment.ts';
import {
  decodeClientHello,
  decodeClientHelloStart,
  decodeHelloVerifyRequest,
  decodeServerHello,
  encodeClientHello,
  encodeHelloVerifyRequest,
  encodeServerHello,
} from './hello.ts';
import {
  decodeClientKeyExchange,
  decodeDigitallySigned,
  decodeServerKeyExchange,
  encodeClientKeyExchange,
  encodeDigitallySigned,
  encodeEcdhParameters,
  encodeServerKeyExchange,
} from './key-exchange.ts';

const bytes = (min: number, max: number) => fc.uint8Array({ minLength: min, maxLength: max });
const u16 = fc.nat(0xffff);
const extensions = fc.uniqueArray(fc.tuple(u16, bytes(0, 20)), { selector: ([type]) => type, maxLength: 6 });
const hello = {
  random: bytes(32, 32),
  sessionId: bytes(0, 32),
  extensions: extensions.map((e) => new Map(e)),
};

/** A codec, and the values that it has to carry. */
interface Subject {
  readonly name: string;
  readonly encoded: fc.Arbitrary<Uint8Array>;
  readonly again: (data: Uint8Array) => Uint8Array;
}

function subject<T>(
  name: string,
  values: fc.Arbitrary<T>,
  encode: (value: T) => Uint8Array,
  decode: (data: Uint8Array) => T,
): Subject {
  return { name, encoded: values.map(encode), again: (data) => encode(decode(data)) };
}

const SUBJECTS: readonly Subject[] = [
  subject(
    'ClientHello',
    fc.record({
      ...hello,
      version: u16,
      cookie: bytes(0, 40),
      cipherSuites: fc.array(u16, { minLength: 1, maxLength: 8 }),
      compressionMethods: bytes(1, 3),
    }),
    encodeClientHello,
    decodeClientHello,
  ),
  subject(
    'ServerHello',
    fc.record({ ...hello, version: u16, cipherSuite: u16, compressionMethod: fc.nat(255) }),
    encodeServerHello,
    decodeServerHello,
  ),
  subject(
    'HelloVerifyRequest',
    bytes(0, 255),
    encodeHelloVerifyRequest,
    (data) => decodeHelloVerifyRequest(data).cookie,
  ),
  subject(
    'Certificate with a chain',
    fc.array(bytes(1, 50), { maxLength: 3 }).map((chain) => ({ kind: 'x509', chain }) as const),
    encodeCertificate,
    (data) => {
      const decoded = decodeCertificate(data, 0);
      assert.ok(decoded.kind === 'x509');
      return { kind: 'x509', chain: [...decoded.chain] } as const;
    },
  ),
  subject(
    'Certificate with a raw key',
    bytes(0, 91).map((key) => ({ kind: 'rpk', subjectPublicKeyInfo: key }) as const),
    encodeCertificate,
    (data) => {
      const decoded = decodeCertificate(data, 2);
      assert.ok(decoded.kind === 'rpk');
      return { kind: 'rpk', subjectPublicKeyInfo: decoded.subjectPublicKeyInfo } as const;
    },
  ),
  subject(
    'CertificateRequest',
    fc.record({
      certificateTypes: bytes(0, 3),
      signatureAlgorithms: fc.array(u16, { maxLength: 4 }),
      authorities: fc.array(bytes(0, 20), { maxLength: 3 }),
    }),
    encodeCertificateRequest,
    decodeCertificateRequest,
  ),
  subject(
    'ClientKeyExchange of ECDHE_PSK',
    fc.record({ identity: bytes(0, 64), publicKey: bytes(0, 65) }),
    encodeClientKeyExchange,
    (data) => {
      const { identity, publicKey } = decodeClientKeyExchange(data, 'ECDHE_PSK');
      assert.ok(identity && publicKey);
      return { identity, publicKey };
    },
  ),
  subject(
    'CertificateVerify',
    fc.record({ algorithm: u16, signature: bytes(0, 80) }),
    encodeDigitallySigned,
    decodeDigitallySigned,
  ),
  subject(
    'a list of 16-bit values',
    fc.array(u16, { maxLength: 8 }),
    (list) => encodeU16List(list),
    (data) => [...decodeU16List('list', data)],
  ),
  subject('bytes behind their length', bytes(0, 255), encodeOpaque8, (data) => decodeOpaque8('opaque', data)),
  subject('record_size_limit', u16, encodeRecordSizeLimit, decodeRecordSizeLimit),
];

describe('DTLS codecs', () => {
  for (const { name, encoded, again } of SUBJECTS) {
    test(`${name}: encoding what was decoded gives the same bytes`, () => {
      fc.assert(
        fc.property(encoded, (data) => assert.deepEqual(Buffer.from(again(data)), Buffer.from(data))),
      );
    });

    test(`${name}: trailing bytes are refused`, () => {
      const [sample] = fc.sample(encoded, { numRuns: 1, seed: 1 });
      assert.ok(sample);
      // An extension block may follow a hello without one; anything longer may not.
      const longer = new Uint8Array(sample.length + 1);
      longer.set(sample);
      assert.throws(() => again(longer), { code: 'DTLS_DECODE' });
    });

    test(`${name}: cut anywhere, it is refused or means something shorter that it is the encoding of`, () => {
      fc.assert(
        fc.property(encoded, (data) => {
          for (let length = 0; length < data.length; length++) {
            const cut = data.subarray(0, length);
            try {
              assert.deepEqual(Buffer.from(again(cut)), Buffer.from(cut));
            } catch (error) {
              if (!isSefleetError(error) || error.code !== 'DTLS_DECODE') throw error;
            }
          }
        }),
        { numRuns: 20 },
      );
    });

    test(`${name}: random bytes give a decode error or a value`, () => {
      fc.assert(
        fc.property(bytes(0, 120), (data) => {
          try {
            again(data);
          } catch (error) {
            if (!isSefleetError(error) || error.code !== 'DTLS_DECODE') throw error;
          }
        }),
      );
    });
  }

  test('reads a ClientHello written byte by byte', () => {
    const body = fromHex(
      `fefd 6d5f0d4f7cbbba1b9e6dd3a0e9d0cb6b7b0f2b67e31c0a2a0a4f8ae6a2b1c0d3 00 00 0004 c0a8 00ff 01 00
       0004 0017 0000`,
    );
    const decoded = decodeClientHello(body);
    assert.equal(decoded.version, 0xfefd);
    assert.deepEqual(decoded.cipherSuites, [0xc0a8, 0x00ff]);
    assert.deepEqual([...decoded.extensions.keys()], [23]);
  });

  test('refuses an extension that appears twice', () => {
    const body = fromHex(`fefd ${'00'.repeat(32)} 00 00 0002 c0a8 01 00 0008 0017 0000 0017 0000`);
    assert.throws(() => decodeClientHello(body), { code: 'DTLS_DECODE', message: /twice/ });
  });

  test('finds cookie and random in a first fragment that ends behind them', () => {
    const body = fromHex(`fefd ${'07'.repeat(32)} 00 02 abcd 00`);
    assert.deepEqual(Buffer.from(decodeClientHelloStart(body)?.cookie ?? []), Buffer.from([0xab, 0xcd]));
    assert.equal(decodeClientHelloStart(body.subarray(0, 36)), undefined);
  });

  test('a server name is a visible ASCII name and comes once', () => {
    assert.equal(decodeServerName(encodeServerName('meter.example')), 'meter.example');
    assert.equal(decodeServerName(fromHex('0004 01 0001 61')), undefined);
    assert.throws(() => decodeServerName(fromHex('0004 00 0001 20')), { code: 'DTLS_DECODE' });
    assert.throws(() => decodeServerName(fromHex('0008 00 0001 61 00 0001 62')), { code: 'DTLS_DECODE' });
  });

  test('ServerKeyExchange gives the parameters that its signature covers', () => {
    const ecdhParameters = encodeEcdhParameters({ group: 23, publicKey: Uint8Array.of(4, 1, 2) });
    const signature = { algorithm: 0x0403, signature: Uint8Array.of(9) };
    const decoded = decodeServerKeyExchange(
      encodeServerKeyExchange({ ecdhParameters, signature }),
      'ECDHE_ECDSA',
    );
    assert.deepEqual(Buffer.from(decoded.signedParameters ?? []), Buffer.from(ecdhParameters));
    assert.equal(decoded.ecdh?.group, 23);
    assert.throws(() => decodeServerKeyExchange(fromHex('01 0017 01 04'), 'ECDHE_ECDSA'), {
      code: 'DTLS_DECODE',
    });
  });

  test('an alert has two bytes', () => {
    assert.deepEqual(decodeAlert(encodeAlert({ level: 2, description: 40 })), { level: 2, description: 40 });
    assert.equal(decodeAlert(Uint8Array.of(2)), undefined);
    assert.equal(decodeAlert(Uint8Array.of(2, 40, 0)), undefined);
  });
});

describe('handshake fragments', () => {
  test('several in one record are all read', () => {
    const record = Buffer.concat([
      encodeWholeMessage(14, 3, new Uint8Array(0)),
      encodeWholeMessage(20, 4, new Uint8Array(12)),
    ]);
    const fragments = decodeHandshakeFragments(record);
    assert.deepEqual(
      fragments.map(({ type, messageSeq, length }) => [type, messageSeq, length]),
      [
        [14, 3, 0],
        [20, 4, 12],
      ],
    );
  });

  test('one that ends behind its message is refused', () => {
    const fragment = new Uint8Array(12 + 4);
    encodeHandshakeHeader(fragment, 0, { type: 1, length: 10, messageSeq: 0, offset: 8, fragmentLength: 4 });
    assert.throws(() => decodeHandshakeFragments(fragment), { code: 'DTLS_DECODE' });
  });

  test('an empty record is refused', () => {
    assert.throws(() => decodeHandshakeFragments(new Uint8Array(0)), { code: 'DTLS_DECODE' });
  });
});
