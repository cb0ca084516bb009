import assert from 'node:assert/strict';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { createCoapEndpoint } from '@sefleet/coap';
import { createDtlsEndpoint, createSoftwareSigningKey, createX509Trust } from '@sefleet/dtls';
import type { Credential } from '@sefleet/pki';
import { createNodeRuntime, UdpChannel } from '@sefleet/runtime/node';
import { ServerBench } from './testing/server-bench.ts';

const ENDPOINT = 'urn:dev:sefleet:meter-7';
const LINKS = { method: 'POST', path: '/rd', payload: '</3/0>', contentFormat: 40 } as const;
const CREATED = 0x41;
const FORBIDDEN = 0x83;

let bench: ServerBench;
before(async () => {
  bench = await ServerBench.start({ SEFLEET_REVOCATION_INTERVAL: '1' });
});
after(() => bench.stop());

/** Registers with a fresh handshake: the answer, or the code of the refusal. */
async function register(credential: Credential): Promise<number | string> {
  const runtime = createNodeRuntime();
  const channel = await UdpChannel.bind();
  const dtls = createDtlsEndpoint({ channel, runtime });
  const coap = createCoapEndpoint({ runtime, channel: dtls });
  try {
    const signingKey = createSoftwareSigningKey({
      privateKey: createPrivateKey(credential.privateKeyPem),
      certificateChain: [new X509Certificate(credential.certificatePem).raw],
      rawPublicKey: false,
    });
    const x509 = createX509Trust({ anchors: [bench.authority()], clock: runtime.clock });
    const settings = { signingKey, trust: { x509 }, serverName: 'localhost' };
    const peer = await dtls.connect('127.0.0.1', bench.lwm2mPort, settings);
    return (await coap.request(peer, { ...LINKS, query: [`ep=${ENDPOINT}`, 'lwm2m=1.1'] })).code;
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  } finally {
    await coap.close();
    runtime.close();
  }
}

test('a device whose certificate is on the list does not get in any more, and others do', async () => {
  const revoked = await bench.issueCertificate(ENDPOINT, 'sefleet smart-meter');
  const other = await bench.issueCertificate(ENDPOINT, 'sefleet smart-meter');
  assert.equal(await register(revoked), CREATED);
  bench.revoked.add(new X509Certificate(revoked.certificatePem).serialNumber);
  let answer: number | string = CREATED;
  for (let i = 0; i < 100 && answer !== 'DTLS_HANDSHAKE_FAILED'; i++) {
    answer = await register(revoked);
    // The list may come between the handshake and the request, which is then refused.
    assert.ok([CREATED, FORBIDDEN, 'DTLS_HANDSHAKE_FAILED'].includes(answer), `${answer}`);
    await pause(100);
  }
  assert.equal(answer, 'DTLS_HANDSHAKE_FAILED');
  assert.equal(await register(other), CREATED);
});
