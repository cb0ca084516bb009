/**
 * The unsafe part of the FFI channel, and all of it: calls into libc with addresses of memory of ours. A
 * wrong signature or offset here corrupts the process, so the layouts stand beside the calls and nothing else
 * does.
 *
 * Linux on 64-bit little-endian machines only. Every address is that of an `ArrayBuffer` made here: such
 * memory lies outside of the JavaScript heap and does not move, as that of small typed arrays does.
 */
import type * as Ffi from 'node:ffi';
import { createRequire } from 'node:module';

/** Addresses are IPv4, as a number. */
export interface SocketAddress {
  readonly host: number;
  readonly port: number;
}

const AF_INET = 2;
const SOCK_DGRAM_NONBLOCK_CLOEXEC = 2 | 0o4000 | 0o2000000;
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const MSG_DONTWAIT = 0x40;
const MSG_TRUNC = 0x20;

/** struct mmsghdr: name, namelen, iov, iovlen, control, controllen, flags, and the length of the datagram. */
const HEADER_BYTES = 64;
const NAME_AT = 0;
const NAME_LENGTH_AT = 8;
const IOV_AT = 16;
const IOV_COUNT_AT = 24;
const FLAGS_AT = 48;
const LENGTH_AT = 56;
/** struct iovec: base, length. */
const IOV_BYTES = 16;
/** struct sockaddr_in: family in the machine's order, port and address in the network's. */
const NAME_BYTES = 16;

type Syscalls = ReturnType<typeof loadSyscalls>;
let loaded: Syscalls | undefined;

/** True when this runtime has `node:ffi` and the machine's layouts stand here. */
export function isFfiAvailable(): boolean {
  const known = process.platform === 'linux' && (process.arch === 'x64' || process.arch === 'arm64');
  if (!known) return false;
  try {
    loaded ??= loadSyscalls();
    return true;
  } catch {
    return false;
  }
}

function loadSyscalls() {
  // Required, not imported: without the flag the module does not exist, and the import would fail for
  // everybody.
  const ffi = createRequire(import.meta.url)('node:ffi') as typeof Ffi; // what the module is
  const { functions } = ffi.dlopen(null, {
    socket: { arguments: ['int32', 'int32', 'int32'], return: 'int32' },
    bind: { arguments: ['int32', 'pointer', 'uint32'], return: 'int32' },
    close: { arguments: ['int32'], return: 'int32' },
    setsockopt: { arguments: ['int32', 'int32', 'int32', 'pointer', 'uint32'], return: 'int32' },
    recvmmsg: { arguments: ['int32', 'pointer', 'uint32', 'int32', 'pointer'], return: 'int32' },
    sendmmsg: { arguments: ['int32', 'pointer', 'uint32', 'int32'], return: 'int32' },
  });
  return { ...functions, addressOf: (memory: ArrayBuffer): bigint => ffi.getRawPointer(memory) };
}

function syscalls(): Syscalls {
  loaded ??= loadSyscalls();
  return loaded;
}

/** A bound, non-blocking UDP socket, or undefined when the system refuses it. */
export function openSocket(
  { host, port }: SocketAddress,
  receiveBufferBytes: number | undefined,
  sendBufferBytes: number | undefined,
): number | undefined {
  const calls = syscalls();
  const fd = calls.socket(AF_INET, SOCK_DGRAM_NONBLOCK_CLOEXEC, 0);
  if (fd < 0) return undefined;
  const memory = new ArrayBuffer(4096);
  const view = new DataView(memory);
  const address = calls.addressOf(memory);
  for (const [option, bytes] of [
    [SO_RCVBUF, receiveBufferBytes],
    [SO_SNDBUF, sendBufferBytes],
  ] as const) {
    if (bytes === undefined) continue;
    view.setInt32(0, bytes, true);
    calls.setsockopt(fd, SOL_SOCKET, option, address, 4);
  }
  writeName(view, 0, { host, port });
  if (calls.bind(fd, address, NAME_BYTES) === 0) return fd;
  calls.close(fd);
  return undefined;
}

/**
 * Memory for a batch of datagrams, shared with the system: headers, names, and one slot of bytes for each.
 */
export class DatagramBatch {
  readonly slots: number;
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  readonly #address: bigint;
  readonly #namesAt: number;
  readonly #dataAt: number;
  readonly #slotBytes: number;
  readonly #calls = syscalls();

  constructor(slots: number, slotBytes: number) {
    this.slots = slots;
    this.#slotBytes = slotBytes;
    const iovAt = slots * HEADER_BYTES;
    this.#namesAt = iovAt + slots * IOV_BYTES;
    this.#dataAt = this.#namesAt + slots * NAME_BYTES;
    const memory = new ArrayBuffer(this.#dataAt + slots * slotBytes);
    this.#bytes = new Uint8Array(memory);
    this.#view = new DataView(memory);
    this.#address = this.#calls.addressOf(memory);
    for (let slot = 0; slot < slots; slot++) {
      const header = slot * HEADER_BYTES;
      const iov = iovAt + slot * IOV_BYTES;
      this.#pointer(header + NAME_AT, this.#namesAt + slot * NAME_BYTES);
      this.#view.setUint32(header + NAME_LENGTH_AT, NAME_BYTES, true);
      this.#pointer(header + IOV_AT, iov);
      this.#view.setBigUint64(header + IOV_COUNT_AT, 1n, true);
      this.#pointer(iov, this.#dataAt + slot * slotBytes);
      this.#view.setBigUint64(iov + 8, BigInt(slotBytes), true);
    }
  }

  /** Fills the slots with what has arrived; returns how many, 0 when nothing has. */
  receive(fd: number): number {
    for (let slot = 0; slot < this.slots; slot++) {
      this.#view.setUint32(slot * HEADER_BYTES + NAME_LENGTH_AT, NAME_BYTES, true);
    }
    return Math.max(0, this.#calls.recvmmsg(fd, this.#address, this.slots, MSG_DONTWAIT, 0n));
  }

  /** The datagram in a slot, until the next {@link receive}; undefined when it was too long for it. */
  datagram(slot: number): Uint8Array | undefined {
    const header = slot * HEADER_BYTES;
    if ((this.#view.getInt32(header + FLAGS_AT, true) & MSG_TRUNC) !== 0) return undefined;
    const at = this.#dataAt + slot * this.#slotBytes;
    return this.#bytes.subarray(at, at + this.#view.getUint32(header + LENGTH_AT, true));
  }

  /** Address and port of a slot in one number, address first. */
  source(slot: number): number {
    const at = this.#namesAt + slot * NAME_BYTES;
    return this.#view.getUint32(at + 4) * 0x10000 + this.#view.getUint16(at + 2);
  }

  /** Puts a datagram, which must fit, into a slot. */
  put(slot: number, data: Uint8Array, to: SocketAddress): void {
    const at = this.#dataAt + slot * this.#slotBytes;
    if (data.length > this.#slotBytes)
      throw new RangeError(`${data.length} bytes in a slot of ${this.#slotBytes}`);
    this.#bytes.set(data, at);
    this.#view.setBigUint64(this.slots * HEADER_BYTES + slot * IOV_BYTES + 8, BigInt(data.length), true);
    writeName(this.#view, this.#namesAt + slot * NAME_BYTES, to);
  }

  /** Sends the first `count` slots; returns how many the system did not take. */
  send(fd: number, count: number): number {
    let refused = 0;
    for (let from = 0; from < count;) {
      const address = this.#address + BigInt(from * HEADER_BYTES);
      const sent = this.#calls.sendmmsg(fd, address, count - from, MSG_DONTWAIT);
      // An error is that of the first datagram: the others are tried without it.
      if (sent <= 0) refused++;
      from += Math.max(1, sent);
    }
    return refused;
  }

  #pointer(at: number, offset: number): void {
    this.#view.setBigUint64(at, this.#address + BigInt(offset), true);
  }
}

function writeName(view: DataView, at: number, { host, port }: SocketAddress): void {
  view.setUint16(at, AF_INET, true);
  view.setUint16(at + 2, port);
  view.setUint32(at + 4, host);
}
