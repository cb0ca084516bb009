import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { createRootAuthority, issueCertificate } from '@sefleet/pki';
import type { CertificateRequest, Credential } from '@sefleet/pki';
import { createNodeRuntime } from '@sefleet/runtime/node';
import { DeviceCertificates } from './device-certificates.ts';

const HOUR_MS = 3_600_000;
const METER = 'urn:dev:sefleet:meter-000001';
const runtime = createNodeRuntime();
const now = Date.now();
const validity = { notBefore: new Date(now - HOUR_MS), notAfter: new Date(now + HOUR_MS) };
const root = await createRootAuthority('ours', validity.notBefore, validity.notAfter);
const service = await issueCertificate(root, {
  commonName: 'lwm2m-server',
  organisation: 'sefleet service',
  serverAuth: true,
  ...validity,
});
const revoked = new Set<string>();
const certificates = new DeviceCertificates(
  {
    authority: Buffer.from(root.certificatePem),
    certificate: Buffer.from(service.certificatePem),
    privateKey: Buffer.from(service.privateKeyPem),
  },
  { findOwn: () => Promise.resolve(undefined) },
  runtime.clock,
  (serialNumber) => revoked.has(serialNumber),
);
runtime.close();

type Part = Partial<CertificateRequest>;

function issue(issuer: Credential, commonName: string, part: Part = {}): Promise<Credential> {
  return issueCertificate(issuer, { commonName, clientAuth: true, ...validity, ...part });
}

function device(part: Part = {}): Promise<Credential> {
  return issue(root, METER, { organisation: 'sefleet smart-meter', pathLength: 0, ...part });
}

function chain(...credentials: readonly Credential[]): readonly Uint8Array[] {
  return credentials.map(({ certificatePem }) => new X509Certificate(certificatePem).raw);
}

async function isLetIn(links: readonly Uint8Array[]): Promise<boolean> {
  try {
    await certificates.check(links);
    return true;
  } catch {
    return false;
  }
}

test('a device is known by its certificate, and by one that it issued for a session', async () => {
  const meter = await device();
  const known = { endpoint: METER, kind: 'smart-meter' };
  assert.deepEqual(await certificates.deviceOf(chain(meter)), known);
  const session = await issue(meter, METER);
  const links = chain(session, meter);
  assert.deepEqual(await certificates.deviceOf(links), known);
  assert.equal(await isLetIn(links), true);
});

test("a session's certificate with another device's name is nobody's", async () => {
  const meter = await device();
  const links = chain(await issue(meter, 'urn:dev:sefleet:meter-000002'), meter);
  assert.equal(await certificates.deviceOf(links), undefined);
  assert.equal(await isLetIn(links), false);
});

test('only what may issue issues: no device without that right, no session, no service', async () => {
  const plain = await issue(root, METER, { organisation: 'sefleet smart-meter' });
  assert.equal(await isLetIn(chain(await issue(plain, METER), plain)), false);
  const meter = await device();
  const session = await issue(meter, METER, { pathLength: 0 });
  assert.equal(await isLetIn(chain(await issue(session, METER), session, meter)), false);
  const issuingService = await issue(root, METER, { organisation: 'sefleet service', pathLength: 0 });
  assert.equal(await isLetIn(chain(await issue(issuingService, METER), issuingService)), false);
});

test('what somebody else signed, and a chain that does not hang together, is refused', async () => {
  const stranger = await createRootAuthority('theirs', validity.notBefore, validity.notAfter);
  const theirs = await issue(stranger, METER, { organisation: 'sefleet smart-meter', pathLength: 0 });
  const meter = await device();
  assert.equal(await isLetIn(chain(await issue(theirs, METER), theirs)), false);
  assert.equal(await isLetIn(chain(await issue(theirs, METER), meter)), false);
  assert.equal(await isLetIn([Uint8Array.of(1, 2), ...chain(meter)]), false);
  assert.equal(await isLetIn([]), false);
});

test('a session that is over lets nobody in', async () => {
  const meter = await device();
  const over = { notBefore: new Date(now - 2 * HOUR_MS), notAfter: new Date(now - HOUR_MS) };
  assert.equal(await isLetIn(chain(await issue(meter, METER, over), meter)), false);
});

test('a revoked certificate opens nothing, nor does a session certificate that it issued', async () => {
  const meter = await device();
  const session = await issue(meter, METER);
  const other = await device();
  assert.equal(await isLetIn(chain(session, meter)), true);
  revoked.add(new X509Certificate(meter.certificatePem).serialNumber);
  assert.deepEqual(
    [await isLetIn(chain(meter)), await isLetIn(chain(session, meter)), await isLetIn(chain(other))],
    [false, false, true],
  );
  assert.equal(await certificates.deviceOf(chain(meter)), undefined);
});
