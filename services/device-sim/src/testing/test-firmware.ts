import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { encodeFirmwareImage, encodeFirmwareManifest, type FirmwareManifest } from '@sefleet/lwm2m';

const authority = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
const POINT_BYTES = 65;

/** The public key of the tests' firmware authority: an uncompressed point. */
export const TEST_FIRMWARE_AUTHORITY: Uint8Array = Uint8Array.from(
  authority.publicKey.export({ format: 'der', type: 'spki' }).subarray(-POINT_BYTES),
);

/** An image of firmware for meters, signed by the tests' authority. */
export function testFirmware(
  payload: Uint8Array,
  changes: Partial<Pick<FirmwareManifest, 'kind' | 'versionNumber' | 'version' | 'payloadHash'>> = {},
): Uint8Array {
  const manifest: FirmwareManifest = {
    kind: 'smart-meter',
    versionNumber: 2,
    version: '2.0.0',
    payloadBytes: payload.length,
    payloadHash: Uint8Array.from(createHash('sha256').update(payload).digest()),
    ...changes,
  };
  const key = { key: authority.privateKey, dsaEncoding: 'ieee-p1363' } as const;
  const signature = Uint8Array.from(sign('sha256', encodeFirmwareManifest(manifest), key));
  return encodeFirmwareImage(manifest, signature, payload);
}
