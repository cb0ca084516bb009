import assert from 'node:assert/strict';
import { createPrivateKey, sign, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { test } from 'node:test';
import { createRootAuthority, issueCertificate } from '@sefleet/pki';
import { createSeededRng } from '@sefleet/runtime/sim';
import { createSessionCredential, type SessionCredential } from './session-certificate.ts';

const NOW_MS = Date.now();
const DAY_MS = 86_400_000;
const validity = { notBefore: new Date(NOW_MS - DAY_MS), notAfter: new Date(NOW_MS + DAY_MS) };
const root = await createRootAuthority('test authority', validity.notBefore, validity.notAfter);
const server = await issueCertificate(root, {
  commonName: 'broker',
  serverAuth: true,
  subjectAlternativeNames: ['127.0.0.1'],
  ...validity,
});
const device = await issueCertificate(root, { commonName: 'obu-1', pathLength: 0, ...validity });

function credential(lifetimeMs: number, nowMs = NOW_MS): SessionCredential {
  return createSessionCredential({
    endpoint: 'urn:dev:sefleet:obu-000001',
    certificateChain: [new X509Certificate(device.certificatePem).raw],
    nowMs,
    lifetimeMs,
    rng: createSeededRng(1),
    sign: (message) => sign('sha256', message, createPrivateKey(device.privateKeyPem)),
  });
}

async function handshake(session: SessionCredential): Promise<string> {
  const listener = createServer({
    cert: server.certificatePem,
    key: server.privateKeyPem,
    ca: root.certificatePem,
    requestCert: true,
    // The server's verdict is read below.
    rejectUnauthorized: false,
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = listener.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const verdict = once(listener, 'secureConnection').then(([socket]: TLSSocket[]) =>
    socket?.authorized === true
      ? String(socket.getPeerCertificate().subject.CN)
      : String(socket?.authorizationError),
  );
  const client = connect({
    host: '127.0.0.1',
    port,
    ca: root.certificatePem,
    cert: session.certificateChainPem,
    key: session.privateKeyPem,
  });
  client.on('error', () => {});
  const outcome = await verdict;
  client.destroy();
  listener.close();
  return outcome;
}

test('a TLS server that trusts the authority takes the session certificate for the device', async () => {
  assert.equal(await handshake(credential(DAY_MS)), 'urn:dev:sefleet:obu-000001');
});

test('a session certificate is refused after its time', async () => {
  assert.match(await handshake(credential(1000, NOW_MS - 60_000)), /EXPIRED/);
});

test('is a well-formed certificate, issued by the device, that may not issue itself', () => {
  const certificate = new X509Certificate(credential(3_600_000).certificateChainPem);
  assert.equal(certificate.subject, 'CN=urn:dev:sefleet:obu-000001');
  assert.equal(certificate.ca, false);
  assert.deepEqual(certificate.keyUsage, ['1.3.6.1.5.5.7.3.2']);
  assert.ok(certificate.checkIssued(new X509Certificate(device.certificatePem)));
  assert.ok(certificate.verify(new X509Certificate(device.certificatePem).publicKey));
  assert.equal(certificate.validToDate.getTime(), Math.floor((NOW_MS + 3_600_000) / 1000) * 1000);
});

test('says so when the device certificate is none', () => {
  const request = {
    endpoint: 'x',
    nowMs: NOW_MS,
    lifetimeMs: 1,
    rng: createSeededRng(1),
    sign: (message: Uint8Array) => message,
  };
  assert.throws(() => createSessionCredential({ ...request, certificateChain: [] }), {
    code: 'SIM_CERTIFICATE_INVALID',
  });
  assert.throws(() => createSessionCredential({ ...request, certificateChain: [Uint8Array.of(0x30, 0)] }), {
    code: 'SIM_CERTIFICATE_INVALID',
  });
});
