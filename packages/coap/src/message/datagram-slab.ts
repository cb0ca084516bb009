/** As Node's own pool of small buffers: what keeps a view of it keeps no more than this alive. */
const SLAB_BYTES = 8192;
/** Larger datagrams get memory of their own, which costs them little and a slab much. */
const MAX_POOLED_BYTES = 256;

let slab = new Uint8Array(SLAB_BYTES);
let used = 0;

/**
 * A copy of a datagram that may be kept. Small ones lie side by side in one piece of memory: a message is
 * made of views, and the first view of a small array that stands alone makes V8 move it out of its heap, at
 * the price of an allocation.
 */
export function copyOfDatagram(data: Uint8Array): Uint8Array {
  const { length } = data;
  if (length > MAX_POOLED_BYTES) return new Uint8Array(data);
  if (used + length > SLAB_BYTES) {
    slab = new Uint8Array(SLAB_BYTES);
    used = 0;
  }
  const start = used;
  used += length;
  slab.set(data, start);
  return slab.subarray(start, used);
}
