import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { createSoftwarePsk, createSoftwareSigningKey } from '@sefleet/dtls';
import type { DtlsClientSettings, DtlsServerSettings } from '@sefleet/dtls';
import type { ServerAccountConfiguration } from '@sefleet/lwm2m-coap';
import { createRootAuthority, issueCertificate } from '@sefleet/pki';

export type Mode = 'psk' | 'rpk' | 'x509';

/** What a device and a server need to know each other, for our sides and for the Java programs. */
export interface Credentials {
  readonly server: DtlsServerSettings;
  readonly client: DtlsClientSettings;
  /** Arguments of a Java server: the mode, then keys in hexadecimal. */
  readonly javaServer: readonly string[];
  /** Arguments of a Java client. */
  readonly javaClient: readonly string[];
  /** The device's side, as a bootstrap server writes it. */
  readonly account: ServerAccountConfiguration['security'];
}

const KEY = Uint8Array.from(Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex'));
/** Certificate usage: the server's certificate itself is the one to trust. */
const DOMAIN_ISSUED_CERTIFICATE = 3;

/** Fresh credentials for the device `name`. */
export async function createCredentials(mode: Mode, name: string): Promise<Credentials> {
  if (mode === 'psk') return pskCredentials(name);
  return mode === 'rpk' ? rpkCredentials() : x509Credentials(name);
}

function pskCredentials(name: string): Credentials {
  const hex = Buffer.from(KEY).toString('hex');
  return {
    server: { pskFor: (identity) => createSoftwarePsk(identity, KEY) },
    client: { psk: createSoftwarePsk(name, KEY) },
    javaServer: ['psk', hex],
    javaClient: ['psk', hex],
    account: { mode: 'psk', identity: name, key: KEY },
  };
}

function rpkCredentials(): Credentials {
  const server = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const device = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const known = (key: KeyObject) => ({
    rawPublicKey: (other: Uint8Array) => Buffer.from(other).equals(spki(key)),
  });
  const serverKey = createSoftwareSigningKey({ privateKey: server.privateKey });
  return {
    server: {
      signingKeyFor: () => serverKey,
      clientAuthentication: 'required',
      trust: known(device.publicKey),
    },
    client: {
      signingKey: createSoftwareSigningKey({ privateKey: device.privateKey }),
      trust: known(server.publicKey),
    },
    javaServer: [
      'rpk',
      hexOf(pkcs8(server.privateKey)),
      hexOf(spki(server.publicKey)),
      hexOf(spki(device.publicKey)),
    ],
    javaClient: [
      'rpk',
      hexOf(spki(device.publicKey)),
      hexOf(pkcs8(device.privateKey)),
      hexOf(spki(server.publicKey)),
    ],
    account: {
      mode: 'rpk',
      publicKey: spki(device.publicKey),
      secretKey: pkcs8(device.privateKey),
      serverPublicKey: spki(server.publicKey),
    },
  };
}

async function x509Credentials(name: string): Promise<Credentials> {
  const from = new Date(Date.UTC(2025, 0, 1));
  const until = new Date(Date.UTC(2035, 0, 1));
  const root = await createRootAuthority('interop root', from, until);
  const issue = async (commonName: string): Promise<{ key: KeyObject; der: Buffer }> => {
    const request = { commonName, clientAuth: true, serverAuth: true, notBefore: from, notAfter: until };
    const issued = await issueCertificate(root, request);
    return {
      key: createPrivateKey(issued.privateKeyPem),
      der: new X509Certificate(issued.certificatePem).raw,
    };
  };
  const server = await issue('localhost');
  const device = await issue(name);
  const authority = new X509Certificate(root.certificatePem);
  const trust = {
    x509: ([own]: readonly Uint8Array[]) =>
      assert.ok(own !== undefined && new X509Certificate(own).verify(authority.publicKey)),
  };
  // Offered beside the certificate, Leshan takes the raw key and then misses the name.
  const signingKeyOf = ({ key, der }: { key: KeyObject; der: Buffer }) =>
    createSoftwareSigningKey({ privateKey: key, certificateChain: [der], rawPublicKey: false });
  const serverKey = signingKeyOf(server);
  return {
    server: { signingKeyFor: () => serverKey, clientAuthentication: 'required', trust },
    client: { signingKey: signingKeyOf(device), trust },
    javaServer: ['x509', hexOf(pkcs8(server.key)), hexOf(server.der), hexOf(authority.raw)],
    javaClient: ['x509', hexOf(device.der), hexOf(pkcs8(device.key)), hexOf(server.der)],
    account: {
      mode: 'x509',
      publicKey: device.der,
      secretKey: pkcs8(device.key),
      serverPublicKey: server.der,
      certificateUsage: DOMAIN_ISSUED_CERTIFICATE,
    },
  };
}

function spki(key: KeyObject): Buffer {
  return key.export({ format: 'der', type: 'spki' });
}

function pkcs8(key: KeyObject): Buffer {
  return key.export({ format: 'der', type: 'pkcs8' });
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
