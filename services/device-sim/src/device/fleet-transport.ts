import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { createCoapEndpoint, type CoapEndpoint, type TransmissionParameters } from '@sefleet/coap';
import {
  createDtlsEndpoint,
  createSoftwarePsk,
  type CipherSuiteName,
  type DtlsEvents,
  type FlightTimerSettings,
  type PskKeyProvider,
} from '@sefleet/dtls';
import { SECURITY_MODE, SECURITY_RESOURCE, type SecurityAccount } from '@sefleet/lwm2m';
import type { ConnectRequest, Lwm2mConnection, Lwm2mTransport } from '@sefleet/lwm2m-coap';
import type { AddressableChannel, Peer, Runtime } from '@sefleet/runtime';
import { simulationError } from '../errors.ts';
import type { DeviceCard } from './device-card.ts';

/** Before the number of a container in the secret key of a Security account: the key is in the card. */
const CARD_REFERENCE = 'se:';
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
  /** What devices offer in their handshakes, in order of preference. */
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
  const channel = await options.bind();
  if (!secured) return plainConnection(options, request, channel, channel.peerAt(address, port));
  const psk = keyOf(options, request);
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
    const peer = await dtls.connect(address, port, { psk, cipherSuites: options.cipherSuites });
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

function keyOf(
  options: FleetTransportOptions,
  { account, tree, endpointName }: ConnectRequest,
): PskKeyProvider {
  const identity = Buffer.from(account.publicKeyOrIdentity).toString('utf8');
  const secret = tree.instance(0, account.instanceId)?.get(SECURITY_RESOURCE.SECRET_KEY);
  if (account.mode !== SECURITY_MODE.PSK || !(secret instanceof Uint8Array)) throw unusable(account);
  const text = Buffer.from(secret).toString('latin1');
  if (!text.startsWith(CARD_REFERENCE)) return createSoftwarePsk(identity, secret);
  const card = options.cardOf(endpointName);
  const container = Number(text.slice(CARD_REFERENCE.length));
  if (card === undefined || !Number.isInteger(container) || container < 0 || container > 0xff)
    throw unusable(account);
  return card.psk(identity, container);
}

/** The secret key of an account whose key is in container `container` of the card. */
export function cardReference(container: number): Uint8Array {
  return Uint8Array.from(Buffer.from(`${CARD_REFERENCE}${container}`, 'latin1'));
}

function unusable({ uri, mode }: SecurityAccount): Error {
  return simulationError('SIM_URI_INVALID', 'the account has no pre-shared key that the device can use', {
    context: { uri, mode },
  });
}
