/** How the master secret of a suite comes about. */
export type KeyExchange = 'PSK' | 'ECDHE_PSK' | 'ECDHE_ECDSA';

/** The facts about one cipher suite. All of them use AES-128 and the SHA-256 PRF. */
export interface CipherSuite {
  readonly id: number;
  readonly name: CipherSuiteName;
  readonly keyExchange: KeyExchange;
  readonly algorithm: 'aes-128-ccm' | 'aes-128-gcm';
  /** Length of the authentication tag in bytes. */
  readonly tagLength: 8 | 16;
}

/** The suites spoken here, by their names in the IANA registry. */
export type CipherSuiteName =
  | 'TLS_PSK_WITH_AES_128_CCM_8'
  | 'TLS_PSK_WITH_AES_128_CCM'
  | 'TLS_PSK_WITH_AES_128_GCM_SHA256'
  | 'TLS_ECDHE_PSK_WITH_AES_128_CCM_8_SHA256'
  | 'TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8'
  | 'TLS_ECDHE_ECDSA_WITH_AES_128_CCM'
  | 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256';

/**
 * RFC 6655, RFC 5487, RFC 8442, RFC 7251, RFC 5289. The order is the default preference:
 * RFC 7925 §4.2 makes plain PSK with CCM_8 the suite of constrained devices, and an ECDH is what they would
 * save.
 */
export const CIPHER_SUITES: readonly CipherSuite[] = [
  suite(0xc0ae, 'TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8', 'ECDHE_ECDSA', 'aes-128-ccm', 8),
  suite(0xc02b, 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256', 'ECDHE_ECDSA', 'aes-128-gcm', 16),
  suite(0xc0ac, 'TLS_ECDHE_ECDSA_WITH_AES_128_CCM', 'ECDHE_ECDSA', 'aes-128-ccm', 16),
  suite(0xc0a8, 'TLS_PSK_WITH_AES_128_CCM_8', 'PSK', 'aes-128-ccm', 8),
  suite(0x00a8, 'TLS_PSK_WITH_AES_128_GCM_SHA256', 'PSK', 'aes-128-gcm', 16),
  suite(0xc0a4, 'TLS_PSK_WITH_AES_128_CCM', 'PSK', 'aes-128-ccm', 16),
  suite(0xd003, 'TLS_ECDHE_PSK_WITH_AES_128_CCM_8_SHA256', 'ECDHE_PSK', 'aes-128-ccm', 8),
];

const byId = new Map(CIPHER_SUITES.map((entry) => [entry.id, entry]));
const byName = new Map(CIPHER_SUITES.map((entry) => [entry.name, entry]));

export function cipherSuiteById(id: number): CipherSuite | undefined {
  return byId.get(id);
}

export function cipherSuiteByName(name: CipherSuiteName): CipherSuite | undefined {
  return byName.get(name);
}

function suite(
  id: number,
  name: CipherSuiteName,
  keyExchange: KeyExchange,
  algorithm: CipherSuite['algorithm'],
  tagLength: CipherSuite['tagLength'],
): CipherSuite {
  return { id, name, keyExchange, algorithm, tagLength };
}
