import { createCoapEndpoint, type CoapEndpoint, type TransmissionParameters } from '@sefleet/coap';
import {
  createDtlsEndpoint,
  type CipherSuiteName,
  type DtlsEndpoint,
  type DtlsEvents,
  type FlightTimerSettings,
} from '@sefleet/dtls';
import type { ConnectRequest, Lwm2mConnection } from '@sefleet/lwm2m-coap';
import type { AddressableChannel, Runtime } from '@sefleet/runtime';
import { credentialsOf } from '../account-credentials.ts';
import type { DeviceCard } from '../device-card.ts';
import type { DeviceSockets } from './device-sockets.ts';
import { SleepingChannel } from './sleeping-channel.ts';

/**
 * Three retransmissions within some seconds: a device that a server has forgotten shall notice while somebody
 * watches.
 * RFC 7252 §4.8 allows other values than its defaults where the network is known.
 */
const DEVICE_COAP_SETTINGS: Partial<TransmissionParameters> = { ackTimeoutMs: 1500, maxRetransmit: 2 };
const DEVICE_FLIGHT_TIMERS: FlightTimerSettings = {
  initialTimeoutMs: 1500,
  maxTimeoutMs: 6000,
  maxRetransmissions: 3,
};

/** What connections over UDP are made from. */
export interface DatagramTransportOptions {
  readonly runtime: Runtime;
  readonly sockets: DeviceSockets;
  /** The card of a device. */
  cardOf(endpointName: string): DeviceCard | undefined;
  /** What devices with a pre-shared key offer, in order of preference. */
  readonly cipherSuites: readonly CipherSuiteName[];
  /** Told of every handshake of the fleet. */
  readonly events: DtlsEvents;
}

/** A device's conversation with one server, secured with keys of its card or not at all, and CoAP on it. */
export async function connectDatagrams(
  options: DatagramTransportOptions,
  request: ConnectRequest,
  { address, port }: { readonly address: string; readonly port: number },
  secured: boolean,
): Promise<Lwm2mConnection> {
  const open = (): Promise<AddressableChannel> => options.sockets.open(request.endpointName, address, port);
  if (!secured) {
    const channel = new SleepingChannel(await open());
    const endpoint = createEndpoint(options, request, channel);
    return connectionOf(endpoint, channel.peerAt(address, port), channel, () => endpoint.close());
  }
  const credentials = credentialsOf(request, {
    clock: options.runtime.clock,
    card: options.cardOf(request.endpointName),
    pskCipherSuites: options.cipherSuites,
  });
  const channel = new SleepingChannel(await open());
  const dtls = secure(options, request, channel);
  const endpoint = createEndpoint(options, request, dtls);
  try {
    const peer = await dtls.connect(address, port, credentials);
    return connectionOf(endpoint, peer, channel, () => {
      dtls.closePeer(peer);
      return endpoint.close();
    });
  } catch (error) {
    await endpoint.close();
    throw error;
  }
}

function secure(
  { runtime, events }: DatagramTransportOptions,
  request: ConnectRequest,
  channel: AddressableChannel,
): DtlsEndpoint {
  return createDtlsEndpoint({
    channel,
    runtime,
    flightTimers: DEVICE_FLIGHT_TIMERS,
    // RFC 9146: the server's connection ID is used, ours is not needed: this channel is one server's alone.
    connectionIdLength: 0,
    events: {
      ...events,
      sessionClosed: (peer, reason) => {
        events.sessionClosed?.(peer, reason);
        if (reason !== 'closed' && reason !== 'shutdown') request.lost(reason);
      },
    },
  });
}

function connectionOf(
  endpoint: CoapEndpoint,
  peer: Lwm2mConnection['peer'],
  channel: SleepingChannel,
  close: () => Promise<void>,
): Lwm2mConnection {
  return { endpoint, peer, close, setListening: (listening) => channel.setListening(listening) };
}

function createEndpoint(
  { runtime }: DatagramTransportOptions,
  { handler }: ConnectRequest,
  channel: Parameters<typeof createCoapEndpoint>[0]['channel'],
): CoapEndpoint {
  return createCoapEndpoint({ channel, runtime, handler, settings: DEVICE_COAP_SETTINGS });
}
