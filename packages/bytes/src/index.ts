export { ByteReader, ByteReaderError } from './byte-reader.ts';
export { ByteWriter, ByteWriterError } from './byte-writer.ts';
export { bytesEqual, concatBytes, constantTimeEqual } from './compare.ts';
export { fromHex, toHex } from './hex.ts';
