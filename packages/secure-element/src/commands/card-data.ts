import { concatBytes, fromHex } from '@sefleet/bytes';
import { encodeTlv } from '@sefleet/globalplatform';

const OID = 0x06;
const GLOBALPLATFORM = fromHex('2a864886fc6b01');
const VERSION_2_3_1 = fromHex('2a864886fc6b02020301');
const IDENTIFICATION = fromHex('2a864886fc6b03');
const SECURE_CHANNEL = fromHex('2a864886fc6b04');
const SCP03 = 0x03;

const managementDataByI = new Map<number, Uint8Array>();

/**
 * Security Domain management data (GPCS 2.3.1 table H-1): the content of tag 73, the same in SELECT and GET
 * DATA 66.
 */
export function securityDomainManagementData(scp03: number): Uint8Array {
  const known = managementDataByI.get(scp03);
  if (known !== undefined) return known;
  // What is kept must not be a view on the pool of Buffers: each would hold 64 KiB of it.
  const data = concatBytes(
    encodeTlv(OID, GLOBALPLATFORM),
    encodeTlv(0x60, encodeTlv(OID, VERSION_2_3_1)),
    encodeTlv(0x63, encodeTlv(OID, IDENTIFICATION)),
    encodeTlv(0x64, encodeTlv(OID, SECURE_CHANNEL, Uint8Array.of(SCP03, scp03))),
  );
  managementDataByI.set(scp03, data);
  return data;
}

/** Card recognition data: the answer to GET DATA 0066. */
export function cardRecognitionData(scp03: number): Uint8Array {
  return encodeTlv(0x66, encodeTlv(0x73, securityDomainManagementData(scp03)));
}

/** Card capability information: the answer to GET DATA 0067 (GPCS 2.3.1 §H.4). */
export function cardCapabilities(scp03: number): Uint8Array {
  const scp = encodeTlv(
    0xa0,
    encodeTlv(0x80, Uint8Array.of(SCP03)),
    encodeTlv(0x81, Uint8Array.of(scp03)),
    encodeTlv(0x82, Uint8Array.of(0x07)),
  );
  const domainPrivileges = encodeTlv(0x81, fromHex('fffec0'));
  const applicationPrivileges = encodeTlv(0x82, fromHex('1e1600'));
  const hashes = encodeTlv(0x83, fromHex('01020304'));
  // Initial values other than zero, triple DES, AES with all key lengths.
  const ciphers = encodeTlv(0x84, fromHex('8f'));
  // RSA with SHA-1 and with PSS, AES-CMAC, ECDSA on P-256, P-384 and P-521; receipts by AES-CMAC.
  const tokens = encodeTlv(0x85, fromHex('fb02'));
  const receipts = encodeTlv(0x86, fromHex('38'));
  const daps = encodeTlv(0x87, fromHex('fb02'));
  return encodeTlv(
    0x67,
    scp,
    domainPrivileges,
    applicationPrivileges,
    hashes,
    ciphers,
    tokens,
    receipts,
    daps,
  );
}
