import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { createSeededRng } from '@sefleet/runtime/sim';
import type { PcapWriter } from './pcap-writer.ts';

/** What a path between client and server does to datagrams; shares are 0 to 1. */
export interface Impairment {
  readonly name: string;
  readonly loss?: number;
  /** Share of datagrams held back so that later ones overtake them. */
  readonly reorder?: number;
  /** Larger payloads vanish. */
  readonly mtu?: number;
}

export const IMPAIRMENTS: readonly Impairment[] = [
  { name: 'plain' },
  { name: '5 % loss', loss: 0.05 },
  { name: 'reordering', reorder: 0.3 },
  { name: 'MTU 300', mtu: 300 },
];

const HELD_BACK_MS = 15;

/** A UDP relay in front of a server: clients speak to `port`, and the seed decides what gets through. */
export class ImpairedPath {
  readonly #front: Socket;
  readonly #serverPort: number;
  readonly #impairment: Impairment;
  readonly #pcap: PcapWriter | undefined;
  readonly #fraction: () => number;
  readonly #backs = new Map<number, Socket>();

  private constructor(
    front: Socket,
    serverPort: number,
    impairment: Impairment,
    seed: number,
    pcap?: PcapWriter,
  ) {
    this.#front = front;
    this.#serverPort = serverPort;
    this.#impairment = impairment;
    this.#pcap = pcap;
    const rng = createSeededRng(seed);
    this.#fraction = () => rng.fraction();
  }

  static async open(
    serverPort: number,
    impairment: Impairment,
    options: { readonly seed?: number; readonly pcap?: PcapWriter | undefined } = {},
  ): Promise<ImpairedPath> {
    const front = createSocket('udp4');
    front.bind(0, '127.0.0.1');
    await once(front, 'listening');
    const path = new ImpairedPath(front, serverPort, impairment, options.seed ?? 1, options.pcap);
    front.on('message', (data, from) => path.#fromClient(data, from.port));
    return path;
  }

  get port(): number {
    return this.#front.address().port;
  }

  async close(): Promise<void> {
    for (const socket of [this.#front, ...this.#backs.values()]) {
      const closed = once(socket, 'close');
      socket.close();
      await closed;
    }
  }

  #fromClient(data: Buffer, clientPort: number): void {
    let back = this.#backs.get(clientPort);
    if (back === undefined) {
      back = createSocket('udp4');
      back.on('message', (reply) => {
        this.#carry(reply, () => {
          this.#pcap?.add(reply, this.#serverPort, clientPort);
          this.#front.send(reply, clientPort, '127.0.0.1');
        });
      });
      back.on('error', () => {});
      this.#backs.set(clientPort, back);
    }
    const socket = back;
    this.#carry(data, () => {
      this.#pcap?.add(data, clientPort, this.#serverPort);
      socket.send(data, this.#serverPort, '127.0.0.1');
    });
  }

  #carry(data: Buffer, deliver: () => void): void {
    const { loss = 0, reorder = 0, mtu = 65_535 } = this.#impairment;
    if (data.length > mtu || this.#fraction() < loss) return;
    const guarded = (): void => {
      try {
        deliver();
      } catch {
        // The test is over and the sockets are closed.
      }
    };
    if (this.#fraction() < reorder) setTimeout(guarded, HELD_BACK_MS);
    else guarded();
  }
}
