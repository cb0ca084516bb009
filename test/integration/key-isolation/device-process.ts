/**
 * A device whose DTLS handshake runs in this process. Its keys are elsewhere (`card`: every private operation
 * is a message to the parent, which holds the card) or, for contrast, here (`software`).
 */
import { createPrivateKey } from 'node:crypto';
import { createDtlsEndpoint, createSoftwarePsk, createSoftwareSigningKey } from '@sefleet/dtls';
import type { PskKeyProvider, SigningKeyProvider } from '@sefleet/dtls';
import { createNodeRuntime, UdpChannel } from '@sefleet/runtime/node';

/** What the parent asks for. */
export interface DeviceOrder {
  readonly port: number;
  readonly suite: 'TLS_PSK_WITH_AES_128_CCM_8' | 'TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8';
  readonly identity: string;
  /** DER, base64. */
  readonly publicKey: string;
  /** Only in the software contrast: PSK (hexadecimal) and private key (PKCS#8, base64). */
  readonly keys?: { readonly psk: string; readonly privateKey: string };
}

/** A private operation that the card does. */
export type CardRequest =
  | { readonly id: number; readonly operation: 'masterSecret'; readonly label: string; readonly seed: string }
  | { readonly id: number; readonly operation: 'sign'; readonly message: string };

const waiting = new Map<number, (result: Uint8Array) => void>();
let requests = 0;

process.on('message', (message: DeviceOrder | { readonly id: number; readonly result: string }) => {
  if ('id' in message) waiting.get(message.id)?.(Buffer.from(message.result, 'hex'));
  else void connect(message);
});

async function connect(order: DeviceOrder): Promise<void> {
  const endpoint = createDtlsEndpoint({ channel: await UdpChannel.bind(), runtime: createNodeRuntime() });
  const echoed = Promise.withResolvers<void>();
  endpoint.listen({ datagram: () => echoed.resolve() });
  const isPsk = order.suite === 'TLS_PSK_WITH_AES_128_CCM_8';
  const peer = await endpoint.connect('127.0.0.1', order.port, {
    cipherSuites: [order.suite],
    ...(isPsk
      ? { psk: pskOf(order) }
      : { signingKey: signingKeyOf(order), trust: { rawPublicKey: () => true } }),
  });
  endpoint.send(Buffer.from('reading'), peer);
  await echoed.promise;
  process.send?.({ connected: true });
}

function pskOf({ identity, keys }: DeviceOrder): PskKeyProvider {
  if (keys !== undefined) return createSoftwarePsk(identity, Buffer.from(keys.psk, 'hex'));
  return {
    identity,
    masterSecret: ({ label, seed }) =>
      askCard({ id: ++requests, operation: 'masterSecret', label, seed: Buffer.from(seed).toString('hex') }),
  };
}

function signingKeyOf({ publicKey, keys }: DeviceOrder): SigningKeyProvider {
  const subjectPublicKeyInfo = Uint8Array.from(Buffer.from(publicKey, 'base64'));
  if (keys !== undefined) {
    const key = Buffer.from(keys.privateKey, 'base64');
    return createSoftwareSigningKey({
      privateKey: createPrivateKey({ key, format: 'der', type: 'pkcs8' }),
      rawPublicKey: true,
    });
  }
  return {
    subjectPublicKeyInfo,
    sign: (message) =>
      askCard({ id: ++requests, operation: 'sign', message: Buffer.from(message).toString('hex') }),
  };
}

function askCard(request: CardRequest): Promise<Uint8Array> {
  return new Promise((resolve) => {
    waiting.set(request.id, resolve);
    process.send?.(request);
  });
}
