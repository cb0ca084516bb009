import { writeFileSync } from 'node:fs';

const LINKTYPE_RAW = 101;

/** Collects UDP datagrams as a capture file that `tshark` reads; the addresses are 127.0.0.1. */
export class PcapWriter {
  readonly #packets: Buffer[] = [];

  add(payload: Uint8Array, fromPort: number, toPort: number): void {
    const packet = Buffer.alloc(28 + payload.length);
    packet.writeUInt8(0x45, 0);
    packet.writeUInt16BE(packet.length, 2);
    packet.writeUInt8(64, 8);
    packet.writeUInt8(17, 9);
    packet.writeUInt32BE(0x7f000001, 12);
    packet.writeUInt32BE(0x7f000001, 16);
    packet.writeUInt16BE(fromPort, 20);
    packet.writeUInt16BE(toPort, 22);
    packet.writeUInt16BE(8 + payload.length, 24);
    packet.set(payload, 28);
    this.#packets.push(packet);
  }

  write(path: string): void {
    const header = Buffer.alloc(24);
    header.writeUInt32LE(0xa1b2c3d4, 0);
    header.writeUInt16LE(2, 4);
    header.writeUInt16LE(4, 6);
    header.writeUInt32LE(65_535, 16);
    header.writeUInt32LE(LINKTYPE_RAW, 20);
    const parts: Buffer[] = [header];
    for (const [index, packet] of this.#packets.entries()) {
      const record = Buffer.alloc(16);
      record.writeUInt32LE(1_700_000_000 + index, 0);
      record.writeUInt32LE(packet.length, 8);
      record.writeUInt32LE(packet.length, 12);
      parts.push(record, packet);
    }
    writeFileSync(path, Buffer.concat(parts));
  }
}
