import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { createCoapEndpoint, type CoapEndpoint, type TransmissionParameters } from '@sefleet/coap';
import {
  createDtlsEndpoint,
  type CipherSuiteName,
  type DtlsEvents,
  type FlightTimerSettings,
} from '@sefleet/dtls';
import type { ConnectRequest, Lwm2mConnection, Lwm2mTransport } from '@sefleet/lwm2m-coap';
import type { AddressableChannel, Peer, Runtime } from '@sefleet/runtime';
import { simulationError } from '../errors.ts';
import { credentialsOf } from './account-credentials.ts';
import type { DeviceCard } from './device-card.ts';

const DEFAULT_PORT = { 'coaps:': 5684, 'coap:': 5683 } as const;

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

/** What the transport of a fleet is made from. */
export interface FleetTransportOptions {
  readonly runtime: Runtime;
  /** A socket for one conversation. */
  bind(): Promise<AddressableChannel>;
  /** The card of a device. */
  cardOf(endpointName: string): DeviceCard | undefined;
  /** What devices with a pre-shared key offer, in order of preference. */
  readonly cipherSuites: readonly CipherSuiteName[];
  /** Told of every handshake of the fleet. */
  readonly events: DtlsEvents;
}

/**
 * Connections of LwM2M devices: a UDP socket, DTLS with keys of the card, and CoAP on it. One serves a fleet.
 */
export function createFleetTransport(options: FleetTransportOptions): Lwm2mTransport {
  return { connect: (request) => connect(options, request) };
}

async function connect(options: FleetTransportOptions, request: ConnectRequest): Promise<Lwm2mConnection> {
  const { account } = request;
  const { secured, host, port } = parseServerUri(account.uri);
  const address = await resolveHost(host);
  if (!secured) {
    const channel = await options.bind();
    return plainConnection(options, request, channel, channel.peerAt(address, port));
  }
  const credentials = credentialsOf(request, {
    clock: options.runtime.clock,
    card: options.cardOf(request.endpointName),
    pskCipherSuites: options.cipherSuites,
  });
  const channel = await options.bind();
  const dtls = createDtlsEndpoint({
    channel,
    runtime: options.runtime,
    flightTimers: DEVICE_FLIGHT_TIMERS,
    // RFC 9146: the server's connection ID is used, ours is not needed: a device hears from one server on its
    // socket.
    connectionIdLength: 0,
    events: {
      ...options.events,
      sessionClosed: (peer, reason) => {
        options.events.sessionClosed?.(peer, reason);
        if (reason !== 'closed' && reason !== 'shutdown') request.lost(reason);
      },
    },
  });
  const endpoint = createEndpoint(options, request, dtls);
  try {
    const peer = await dtls.connect(address, port, credentials);
    return {
      endpoint,
      peer,
      close: () => {
        dtls.closePeer(peer);
        return endpoint.close();
      },
    };
  } catch (error) {
    await endpoint.close();
    throw error;
  }
}

function plainConnection(
  options: FleetTransportOptions,
  request: ConnectRequest,
  channel: AddressableChannel,
  peer: Peer,
): Lwm2mConnection {
  const endpoint = createEndpoint(options, request, channel);
  return { endpoint, peer, close: () => endpoint.close() };
}

function createEndpoint(
  options: FleetTransportOptions,
  request: ConnectRequest,
  channel: Parameters<typeof createCoapEndpoint>[0]['channel'],
): CoapEndpoint {
  return createCoapEndpoint({
    channel,
    runtime: options.runtime,
    handler: request.handler,
    settings: DEVICE_COAP_SETTINGS,
  });
}

/** Where a server is, from the URI of its account. */
function parseServerUri(uri: string): {
  readonly secured: boolean;
  readonly host: string;
  readonly port: number;
} {
  const parsed = URL.parse(uri);
  if (
    parsed === null ||
    (parsed.protocol !== 'coaps:' && parsed.protocol !== 'coap:') ||
    parsed.hostname === ''
  ) {
    throw simulationError('SIM_URI_INVALID', `no coap or coaps URI: ${uri}`, { context: { uri } });
  }
  return {
    secured: parsed.protocol === 'coaps:',
    host: parsed.hostname.replace(/^\[|\]$/g, ''),
    port: parsed.port === '' ? DEFAULT_PORT[parsed.protocol] : Number(parsed.port),
  };
}

async function resolveHost(host: string): Promise<string> {
  return isIP(host) !== 0 ? host : (await lookup(host)).address;
}
