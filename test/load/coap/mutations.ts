import type { Rng } from '@sefleet/runtime';

/** Values that sit at the edges of CoAP's fields: nibbles 13 to 15, the payload marker, all bits, signs. */
const EDGES = [
  0x00, 0x01, 0x07, 0x08, 0x0d, 0x0e, 0x0f, 0x40, 0x50, 0x60, 0x70, 0x7f, 0x80, 0xd0, 0xdd, 0xe0, 0xee, 0xf0,
  0xff,
];
const MAX_BYTES = 1500;

/** One datagram made of another: the structure stays, something in it breaks. */
export function mutate(source: Uint8Array, rng: Rng): Uint8Array {
  let data: Uint8Array = source.slice();
  const rounds = Math.floor(rng.fraction() * 4);
  for (let i = 0; i < rounds; i++) data = once(data, rng);
  return data.subarray(0, MAX_BYTES);
}

function once(data: Uint8Array, rng: Rng): Uint8Array {
  const at = Math.floor(rng.fraction() * (data.length + 1));
  const edge = EDGES[Math.floor(rng.fraction() * EDGES.length)] ?? 0;
  switch (Math.floor(rng.fraction() * 8)) {
    case 0:
      return data.slice(0, at);
    case 1:
      return joined(data.subarray(0, at), Uint8Array.of(edge), data.subarray(at));
    case 2:
      return joined(data.subarray(0, at), data.subarray(at + 1));
    case 3:
      return joined(data, rng.bytes(Math.floor(rng.fraction() * 64)));
    case 4:
      return joined(data.subarray(0, at), data.subarray(Math.floor(at / 2)));
    case 5:
      // Another type, code or message id: the first four bytes decide where a message goes.
      if (data.length > 0) data[Math.floor(rng.fraction() * Math.min(4, data.length))] = edge;
      return data;
    case 6:
      if (at < data.length) data[at] = edge;
      return data;
    default:
      if (at < data.length) data[at] = (data[at] ?? 0) ^ (1 << Math.floor(rng.fraction() * 8));
      return data;
  }
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}
