import { ByteReader, ByteWriter } from '@sefleet/bytes';
import { A128GCM, AES_CCM_16_64_128, COSE_ALGORITHMS } from '../encrypt0/algorithms.ts';
import { decodeEncrypt0, type Encrypt0 } from '../encrypt0/encrypt0-codec.ts';
import { openEncrypt0, sealEncrypt0, type SecretKey } from '../encrypt0/encrypt0.ts';
import { coseError } from '../errors.ts';
import { decodeRecordKeyId, encodeRecordKeyId, type RecordKeyId } from './record-key.ts';
import { decodeTelemetryRecord, encodeTelemetryRecord, type TelemetryRecord } from './telemetry-record.ts';

/** What a card seals. */
export interface SealRecordRequest extends RecordKeyId {
  readonly endpoint: string;
  /** The device's key from {@link deriveRecordKey}, 16 bytes. */
  readonly recordKey: SecretKey;
  /** Its sequence, from 1, is never used twice with one key: the nonce is made of it. */
  readonly record: TelemetryRecord;
  /** `AES_CCM_16_64_128` unless given, or `A128GCM`. */
  readonly algorithm?: number;
}

/** A sealed record as it can be read without any key. */
export interface SealedRecord extends RecordKeyId {
  readonly sequence: number;
  readonly object: Encrypt0;
}

/**
 * Seals a record for one stakeholder: a tagged COSE_Encrypt0, about 110 bytes.
 *
 * The IV is the sequence number as a big-endian integer, filled up with zeros in front to the nonce's length;
 * the external data is `<endpoint>|<sequence>` in UTF-8, so that a record passes for no other device's.
 *
 * @throws SefleetError `COSE_RECORD_INVALID` or `COSE_KEY_INVALID`, fault `caller`.
 */
export function sealTelemetryRecord(request: SealRecordRequest): Uint8Array {
  const algorithm = request.algorithm ?? AES_CCM_16_64_128;
  const { sequence } = request.record;
  if (!isRecordAlgorithm(algorithm)) throw coseError('COSE_RECORD_INVALID', 'not an algorithm of records');
  if (sequence === 0) throw coseError('COSE_RECORD_INVALID', 'a record is sealed with a sequence from 1');
  return sealEncrypt0({
    algorithm,
    key: request.recordKey,
    keyId: encodeRecordKeyId(request),
    iv: recordIv(sequence, algorithm),
    plaintext: encodeTelemetryRecord(request.record),
    externalAad: recordExternalAad(request.endpoint, sequence),
  });
}

/**
 * Reads what stands outside of the encryption: who can open the record, and its sequence number.
 *
 * @throws SefleetError `COSE_MALFORMED`, `COSE_CRITICAL_UNSUPPORTED`, `COSE_ALGORITHM_UNSUPPORTED` or
 *   `COSE_RECORD_MALFORMED`, fault `peer`; nothing else.
 */
export function decodeSealedRecord(data: Uint8Array): SealedRecord {
  const object = decodeEncrypt0(data);
  if (!isRecordAlgorithm(object.algorithm)) {
    throw coseError(
      'COSE_ALGORITHM_UNSUPPORTED',
      `records are not sealed with algorithm ${object.algorithm}`,
    );
  }
  if (object.algorithmUnprotected === true || object.tagged !== true) {
    throw coseError('COSE_RECORD_MALFORMED', 'a record has tag 16 and its algorithm in the protected header');
  }
  if (object.keyId === undefined) throw coseError('COSE_RECORD_MALFORMED', 'no key identifier');
  return { ...decodeRecordKeyId(object.keyId), sequence: sequenceOf(object), object };
}

/**
 * Verifies and decrypts a record that came from `endpoint`.
 *
 * @throws SefleetError `COSE_AUTHENTICATION_FAILED`, `COSE_MALFORMED` or `COSE_RECORD_MALFORMED`, fault
 *   `peer`.
 */
export function openTelemetryRecord(
  sealed: SealedRecord,
  recordKey: SecretKey,
  endpoint: string,
): TelemetryRecord {
  const record = decodeTelemetryRecord(
    openEncrypt0(sealed.object, recordKey, recordExternalAad(endpoint, sealed.sequence)),
  );
  if (record.sequence !== sealed.sequence) {
    throw coseError('COSE_RECORD_MALFORMED', 'the sequence inside is not the one outside');
  }
  return record;
}

function isRecordAlgorithm(algorithm: number): boolean {
  return algorithm === AES_CCM_16_64_128 || algorithm === A128GCM;
}

function recordExternalAad(endpoint: string, sequence: number): Uint8Array {
  return Buffer.from(`${endpoint}|${sequence}`, 'utf8');
}

const SEQUENCE_BYTES = 8;

function recordIv(sequence: number, algorithm: number): Uint8Array {
  const nonceBytes = COSE_ALGORITHMS.get(algorithm)?.nonceBytes ?? 0;
  return new ByteWriter(nonceBytes)
    .bytes(new Uint8Array(nonceBytes - SEQUENCE_BYTES))
    .u64(BigInt(sequence))
    .finish();
}

function sequenceOf({ iv, algorithm }: Encrypt0): number {
  const nonceBytes = COSE_ALGORITHMS.get(algorithm)?.nonceBytes;
  if (iv.length !== nonceBytes) throw coseError('COSE_RECORD_MALFORMED', 'the IV is not of the nonce length');
  const reader = new ByteReader(iv);
  const filled = reader.bytes(nonceBytes - SEQUENCE_BYTES).every((octet) => octet === 0);
  const sequence = Number(reader.u64());
  if (!filled || !Number.isSafeInteger(sequence) || sequence === 0) {
    throw coseError('COSE_RECORD_MALFORMED', 'the IV is no sequence number');
  }
  return sequence;
}
