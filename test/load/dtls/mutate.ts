import type { Rng } from '@sefleet/runtime';

const RECORD_HEADER = 13;
const CONTENT_TYPES = [20, 21, 22, 23, 25, 0, 255];
const HANDSHAKE_TYPES = [0, 1, 2, 3, 11, 12, 13, 14, 15, 16, 20, 99];
const INTERESTING = [0, 1, 2, 3, 4, 0x7f, 0x80, 0xfd, 0xfe, 0xff];

/** Where the records of a datagram start. */
function recordStarts(data: Uint8Array): number[] {
  const starts: number[] = [];
  for (let at = 0; at + RECORD_HEADER <= data.length;) {
    starts.push(at);
    at += RECORD_HEADER + (((data[at + 11] ?? 0) << 8) | (data[at + 12] ?? 0));
  }
  return starts;
}

/** A datagram that is nearly `data`: fields that mean something are changed more often than others. */
export function mutate(data: Uint8Array, pool: readonly Uint8Array[], rng: Rng): Uint8Array {
  const below = (limit: number): number => Math.floor(rng.fraction() * limit);
  const pick = <T>(list: readonly T[], otherwise: T): T => list[below(list.length)] ?? otherwise;
  let out = data.slice();
  const changes = 1 + below(3);
  for (let i = 0; i < changes; i++) {
    const start = pick(recordStarts(out), 0);
    switch (below(12)) {
      case 0:
        out[start] = pick(CONTENT_TYPES, 22);
        break;
      case 1:
        out[start + 4] = below(3);
        break;
      case 2:
        out[start + 10] = below(256);
        break;
      case 3:
        out[start + 11 + below(2)] = pick(INTERESTING, 0);
        break;
      case 4:
        out[start + RECORD_HEADER] = pick(HANDSHAKE_TYPES, 1);
        break;
      case 5:
        // A length, sequence or fragment field of the handshake header.
        out[start + RECORD_HEADER + 1 + below(11)] = pick(INTERESTING, 0);
        break;
      case 6:
        out[below(out.length)] = pick(INTERESTING, 0);
        break;
      case 7:
        out[below(out.length)] = below(256);
        break;
      case 8:
        out = out.slice(0, below(out.length + 1));
        break;
      case 9: {
        const other = pick(pool, out);
        out = Uint8Array.from([
          ...out.subarray(0, below(out.length + 1)),
          ...other.subarray(below(other.length + 1)),
        ]);
        break;
      }
      case 10: {
        // A piece repeated: lists that claim more than they hold, extensions that come twice.
        const at = below(out.length + 1);
        const piece = out.subarray(at, at + below(16));
        out = Uint8Array.from([...out.subarray(0, at), ...piece, ...out.subarray(at)]);
        break;
      }
      default:
        out = Uint8Array.from([...out, ...rng.bytes(below(8))]);
    }
  }
  return rng.fraction() < 0.5 ? mended(out) : out;
}

/** Makes the record lengths fit again, so that the change gets past the record layer. */
function mended(data: Uint8Array): Uint8Array {
  const start = recordStarts(data).at(-1);
  if (start === undefined) return data;
  const length = data.length - start - RECORD_HEADER;
  data[start + 11] = length >> 8;
  data[start + 12] = length & 0xff;
  // And a single fragment in it, for handshake messages.
  if (data[start] === 22 && length >= 12) {
    const body = length - 12;
    for (const at of [start + 14, start + 22]) {
      data[at] = body >> 16;
      data[at + 1] = (body >> 8) & 0xff;
      data[at + 2] = body & 0xff;
    }
    data.fill(0, start + 19, start + 22);
  }
  return data;
}
