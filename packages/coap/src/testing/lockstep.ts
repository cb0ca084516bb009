import assert from 'node:assert/strict';
import type { Peer } from '@sefleet/runtime';
import { type SimChannel, SimNetwork, SimRuntime } from '@sefleet/runtime/sim';
import { findBlock } from '../codec/block.ts';
import { type CoapMessage, decodeMessage, encodeMessage } from '../codec/message.ts';
import { sortedOptions } from '../codec/option-list.ts';
import {
  type CoapOption,
  decodeText,
  encodeText,
  findOption,
  findStrings,
  findUint,
} from '../codec/option.ts';
import { createCoapEndpoint } from '../coap-endpoint.ts';
import { MESSAGE_TYPE, OPTION } from '../constants.ts';
import type { CoapEndpoint, CoapEndpointOptions } from '../endpoint.ts';

const TYPES = ['CON', 'NON', 'ACK', 'RST'] as const;

/** What a script says of a message; what it leaves out is not looked at, or empty. */
interface Scripted {
  readonly type: (typeof TYPES)[number];
  readonly code?: number;
  readonly messageId?: number;
  readonly token?: Uint8Array;
  readonly path?: string;
  readonly observe?: number | null;
  /** `num/more/size`, as RFC 7959 writes it. */
  readonly block1?: string | null;
  readonly block2?: string | null;
  readonly payload?: string;
  readonly options?: readonly CoapOption[];
}

/** A peer that does what its script says, and compares what it gets (after Californium's lockstep tests). */
class LockstepPeer {
  readonly #channel: SimChannel;
  readonly #runtime: SimRuntime;
  readonly #other: Peer;
  readonly #received: { readonly message: CoapMessage; readonly atMs: number }[] = [];

  constructor(runtime: SimRuntime, channel: SimChannel, other: Peer) {
    this.#runtime = runtime;
    this.#channel = channel;
    this.#other = other;
    channel.listen({
      datagram: (data) =>
        this.#received.push({ message: decodeMessage(data), atMs: runtime.clock.monotonicMs() }),
    });
  }

  /** The next message, which must be as `expected`, within `withinMs` virtual milliseconds. */
  async expect(expected: Scripted, withinMs = 100): Promise<CoapMessage & { readonly atMs: number }> {
    await this.#runtime.runUntil(() => this.#received.length > 0, withinMs);
    const next = this.#received.shift();
    assert.ok(next, `nothing came within ${withinMs} ms instead of ${JSON.stringify(expected)}`);
    const { message, atMs } = next;
    const seen = describe(message);
    const wanted: Record<string, unknown> = {};
    const got: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(expected)) {
      if (name === 'options' || value === undefined) continue;
      wanted[name] = value;
      got[name] = seen[name];
    }
    assert.deepEqual(got, wanted);
    for (const { number, value } of expected.options ?? []) {
      assert.deepEqual(findOption(message.options, number), value, `option ${number}`);
    }
    return { ...message, atMs };
  }

  /** Fails when anything comes within that time. */
  async expectNothing(withinMs: number): Promise<void> {
    await this.#runtime.advance(withinMs);
    assert.deepEqual(
      this.#received.map(({ message }) => describe(message)),
      [],
    );
  }

  send(scripted: Scripted): void {
    const options: CoapOption[] = [...(scripted.options ?? [])];
    for (const segment of scripted.path?.split('/') ?? []) {
      options.push({ number: OPTION.URI_PATH, value: encodeText(segment) });
    }
    if (scripted.observe !== undefined && scripted.observe !== null) {
      options.push({ number: OPTION.OBSERVE, value: Uint8Array.of(scripted.observe) });
    }
    if (typeof scripted.block1 === 'string') options.push(scriptedBlock(OPTION.BLOCK1, scripted.block1));
    if (typeof scripted.block2 === 'string') options.push(scriptedBlock(OPTION.BLOCK2, scripted.block2));
    const message: CoapMessage = {
      type: MESSAGE_TYPE[scripted.type],
      code: scripted.code ?? 0,
      messageId: scripted.messageId ?? 0,
      token: scripted.token ?? new Uint8Array(0),
      options: sortedOptions(options),
      payload: encodeText(scripted.payload ?? ''),
    };
    this.sendBytes(encodeMessage(message));
  }

  sendBytes(data: Uint8Array): void {
    this.#channel.send(data, this.#other);
  }
}

export interface LockstepWorld {
  readonly runtime: SimRuntime;
  readonly network: SimNetwork;
  readonly endpoint: CoapEndpoint;
  readonly script: LockstepPeer;
  /** The scripted peer, as the endpoint addresses it. */
  readonly peer: Peer;
  /** Lets the virtual time run until the promise is settled. */
  readonly settle: <T>(promise: Promise<T>) => Promise<T>;
}

/** An endpoint of ours and a scripted peer on a perfect network. */
export function lockstep(options: Partial<CoapEndpointOptions> = {}, seed = 1): LockstepWorld {
  const runtime = new SimRuntime(seed);
  const network = new SimNetwork(runtime);
  const channel = network.bind('10.0.0.1', 5683);
  const other = network.bind('10.0.0.2', 61_616);
  const endpoint = createCoapEndpoint({ channel, runtime, ...options });
  const script = new LockstepPeer(runtime, other, other.peerAt('10.0.0.1', 5683));
  const settle = <T>(promise: Promise<T>): Promise<T> => settled(runtime, promise);
  return { runtime, network, endpoint, script, settle, peer: channel.peerAt('10.0.0.2', 61_616) };
}

/** Lets the virtual time run until the promise is settled. */
export async function settled<T>(runtime: SimRuntime, promise: Promise<T>, limitMs = 600_000): Promise<T> {
  let done = false;
  const mark = (): void => {
    done = true;
  };
  promise.then(mark, mark);
  await runtime.runUntil(() => done, limitMs);
  assert.ok(done, `not settled within ${limitMs} virtual milliseconds`);
  return promise;
}

/** Nothing is open any more, and after the lifetimes of caches no timer runs. */
export async function assertAtRest(
  runtime: SimRuntime,
  ...endpoints: readonly CoapEndpoint[]
): Promise<void> {
  await runtime.advance(1_000_000);
  for (const endpoint of endpoints) {
    const open = Object.entries(endpoint.open()).filter(([, count]) => count !== 0);
    assert.deepEqual(open, []);
  }
  assert.equal(runtime.activeTimers, 0);
}

function describe(message: CoapMessage): Record<string, unknown> {
  const { options } = message;
  return {
    type: TYPES[message.type],
    code: message.code,
    messageId: message.messageId,
    token: message.token,
    path: findStrings(options, OPTION.URI_PATH).join('/'),
    observe: findUint(options, OPTION.OBSERVE) ?? null,
    block1: blockText(options, OPTION.BLOCK1),
    block2: blockText(options, OPTION.BLOCK2),
    payload: decodeText(message.payload),
  };
}

function blockText(options: readonly CoapOption[], number: number): string | null {
  const block = findBlock(options, number);
  return block === undefined
    ? null
    : `${block.num}/${block.more ? 1 : 0}/${block.bert ? 'BERT' : block.size}`;
}

function scriptedBlock(number: number, text: string): CoapOption {
  const [num = 0, more = 0, size = 16] = text.split('/').map(Number);
  const bits = num * 16 + more * 8 + (27 - Math.clz32(size));
  const value = Uint8Array.of(bits >> 16, bits >> 8, bits);
  return { number, value: bits > 0xffff ? value : bits > 0xff ? value.slice(1) : value.slice(2) };
}
