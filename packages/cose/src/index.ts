export { A128GCM, AES_CCM_16_64_128, COSE_ALGORITHMS } from './encrypt0/algorithms.ts';
export type { CoseAlgorithm } from './encrypt0/algorithms.ts';
export { decodeEncrypt0, encodeEncrypt0, MAX_ENCRYPT0_BYTES } from './encrypt0/encrypt0-codec.ts';
export type { Encrypt0 } from './encrypt0/encrypt0-codec.ts';
export { openEncrypt0, sealEncrypt0 } from './encrypt0/encrypt0.ts';
export type { SealRequest, SecretKey } from './encrypt0/encrypt0.ts';
export { COSE_ERRORS } from './errors.ts';
export type { CoseErrorCode } from './errors.ts';
export { metricNamed, metricOf, METRICS } from './record/metrics.ts';
export type { Metric } from './record/metrics.ts';
export {
  decodeRecordBatch,
  encodeRecordBatch,
  MAX_BATCH_BYTES,
  MAX_BATCH_RECORDS,
} from './record/record-batch.ts';
export {
  decodeRecordKeyId,
  deriveRecordKey,
  encodeRecordKeyId,
  RECORD_KEY_BYTES,
} from './record/record-key.ts';
export type { RecordKeyId } from './record/record-key.ts';
export { decodeSealedRecord, openTelemetryRecord, sealTelemetryRecord } from './record/sealed-record.ts';
export type { SealedRecord, SealRecordRequest } from './record/sealed-record.ts';
export {
  decodeTelemetryRecord,
  encodeTelemetryRecord,
  MAX_RECORD_VALUES,
} from './record/telemetry-record.ts';
export type { TelemetryRecord } from './record/telemetry-record.ts';
export { parseRecordTopic, RECORD_TOPIC_FILTER, recordTopic } from './record/record-topic.ts';
export type { RecordTopic, RecordTopicKind } from './record/record-topic.ts';
