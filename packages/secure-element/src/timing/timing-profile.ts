/** Milliseconds that a chip takes for its operations. */
export interface TimingProfile {
  readonly name: string;
  /** One 64-byte block of MD5 and of a SHA function. */
  readonly md5BlockMs: number;
  readonly shaBlockMs: number;
  /** One block of triple DES (8 bytes) and of AES (16 bytes). */
  readonly tdesBlockMs: number;
  readonly aesBlockMs: number;
  /** RSA with a 1,024-bit modulus. */
  readonly rsaPublicMs: number;
  readonly rsaPrivateMs: number;
  /** One multiplication of a point on P-256. */
  readonly ecMultiplyMs: number;
  /** One byte over the contacts, either way. */
  readonly ioByteMs: number;
  /** One write of non-volatile memory. */
  readonly writeMs: number;
  /** What the platform (a virtual machine, usually) makes of a computed time. */
  readonly systemFactor: number;
  /** What each command costs besides. */
  readonly commandMs: number;
  /** What a whole TLS exchange costs besides: its transport in many commands. */
  readonly exchangeMs: number;
}

/** How often an operation is done. */
export interface OperationCount {
  readonly md5Blocks?: number;
  readonly shaBlocks?: number;
  readonly tdesBlocks?: number;
  readonly aesBlocks?: number;
  readonly rsaPublic?: number;
  readonly rsaPrivate?: number;
  readonly ecMultiplications?: number;
  readonly ioBytes?: number;
  readonly writes?: number;
}

/**
 * A Java Card as P. Urien's slides on secure elements measure it (RACS, 2015): the costs of operations are
 * theirs.
 * `systemFactor` and `exchangeMs` are the straight line through their three pairs of computed and measured
 * times, 878 and 1,300 ms for a full TLS session, 105 and 360 for a resumed one, 153 and 415 for a record of
 * 1,024 bytes; it meets each within 1 %. The slides have no elliptic curves: that figure is of the same kind
 * of chip.
 */
export const JAVA_CARD_2015: TimingProfile = {
  name: 'java-card-2015',
  md5BlockMs: 0.5,
  shaBlockMs: 0.9,
  tdesBlockMs: 1.8,
  aesBlockMs: 2.1,
  rsaPublicMs: 23,
  rsaPrivateMs: 510,
  ecMultiplyMs: 60,
  ioByteMs: 0.1,
  writeMs: 3,
  systemFactor: 1.22,
  commandMs: 2,
  exchangeMs: 232,
};

/** A full TLS 1.0 session with RSA certificates on both sides, up to the Finished messages. */
export const TLS_FULL_SESSION: OperationCount = {
  rsaPrivate: 1,
  rsaPublic: 2,
  md5Blocks: 230,
  shaBlocks: 230,
};
/** A resumed one. */
export const TLS_RESUMED_SESSION: OperationCount = { md5Blocks: 75, shaBlocks: 75 };
/** A record of 1,024 bytes: 64 AES blocks, and HMAC over 20 blocks. */
export const TLS_RECORD_1024: OperationCount = { aesBlocks: 64, shaBlocks: 20 };

/** The time of the operations alone, in milliseconds. */
export function computedMs(profile: TimingProfile, count: OperationCount): number {
  return (
    (count.md5Blocks ?? 0) * profile.md5BlockMs +
    (count.shaBlocks ?? 0) * profile.shaBlockMs +
    (count.tdesBlocks ?? 0) * profile.tdesBlockMs +
    (count.aesBlocks ?? 0) * profile.aesBlockMs +
    (count.rsaPublic ?? 0) * profile.rsaPublicMs +
    (count.rsaPrivate ?? 0) * profile.rsaPrivateMs +
    (count.ecMultiplications ?? 0) * profile.ecMultiplyMs +
    (count.ioBytes ?? 0) * profile.ioByteMs +
    (count.writes ?? 0) * profile.writeMs
  );
}

/** The time that a host would measure for a TLS exchange inside of the chip, in milliseconds. */
export function tlsExchangeMs(profile: TimingProfile, count: OperationCount): number {
  return computedMs(profile, count) * profile.systemFactor + profile.exchangeMs;
}
