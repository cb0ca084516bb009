import { isIPv4 } from 'node:net';
import { createCoapEndpoint } from '@sefleet/coap';
import type { CoapEndpoint, RequestHandler } from '@sefleet/coap';
import type { EventLog } from '@sefleet/observability';
import type { AddressableChannel, Runtime } from '@sefleet/runtime';
import { FfiUdpChannel, UdpChannel } from '@sefleet/runtime/node';
import { serviceError } from '../../errors.ts';
import { EVENTS } from '../../events.ts';

/** Where a {@link PlainListener} listens. */
export interface PlainListenerOptions {
  readonly runtime: Runtime;
  readonly log: EventLog;
  readonly address: string;
  readonly port: number;
  /** The setting that gave the port, for the error when it is taken. */
  readonly portSetting: string;
  readonly bufferBytes: number;
  /** Datagrams are read and written in batches, through the runtime's experimental FFI. */
  readonly ffiSockets: boolean;
}

/** One UDP socket without security, for devices that the settings let come without a credential. */
export class PlainListener {
  readonly port: number;
  readonly #channel: AddressableChannel;
  readonly #options: PlainListenerOptions;
  #coap: CoapEndpoint | undefined;

  private constructor(channel: AddressableChannel, options: PlainListenerOptions) {
    this.#channel = channel;
    this.#options = options;
    this.port = channel.localAddress().port;
  }

  /** @throws SefleetError `LWM2M_SOCKET_BIND` */
  static async bind(options: PlainListenerOptions): Promise<PlainListener> {
    return new PlainListener(await bindUdp(options), options);
  }

  /** Puts CoAP on the socket; for a server's `listen`. */
  connect(handler: RequestHandler): CoapEndpoint {
    const { runtime, log } = this.#options;
    this.#coap = createCoapEndpoint({
      runtime,
      handler,
      channel: this.#channel,
      onHandlerError: (error, { method, path }) => log.emit(EVENTS.handlerFailed, { method, path, error }),
    });
    return this.#coap;
  }

  /** Counters of CoAP, by name. */
  counters(): ReadonlyMap<string, number> {
    const counters = Object.entries(this.#coap?.counters() ?? {});
    return new Map(counters.map(([name, value]) => [`coap.${name}`, value]));
  }
}

/** A UDP socket for devices. @throws SefleetError `LWM2M_SOCKET_BIND`, `LWM2M_FFI_UNAVAILABLE` */
export async function bindUdp({
  address,
  port,
  portSetting,
  bufferBytes,
  ffiSockets,
}: Omit<PlainListenerOptions, 'runtime' | 'log'>): Promise<AddressableChannel> {
  if (ffiSockets && (!FfiUdpChannel.isAvailable() || !isIPv4(address))) {
    throw serviceError('LWM2M_FFI_UNAVAILABLE', `no UDP through node:ffi on ${address}`, {
      hint: 'It needs Linux, IPv4 addresses and a runtime with node:ffi; or set SEFLEET_LWM2M_FFI_SOCKETS to off.',
    });
  }
  try {
    const buffers = { receiveBufferBytes: bufferBytes, sendBufferBytes: bufferBytes };
    const Channel = ffiSockets ? FfiUdpChannel : UdpChannel;
    return await Channel.bind({ address, port, ...buffers });
  } catch (cause) {
    throw serviceError('LWM2M_SOCKET_BIND', `UDP ${address}:${port} cannot be taken`, {
      cause,
      hint: `Set ${portSetting} to another port, or end what holds it.`,
    });
  }
}
