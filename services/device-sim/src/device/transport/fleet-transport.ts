import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { parseCoapUri, type CoapUri } from '@sefleet/coap';
import { isSefleetError } from '@sefleet/errors';
import type { ConnectRequest, Lwm2mConnection, Lwm2mTransport } from '@sefleet/lwm2m-coap';
import { simulationError } from '../../errors.ts';
import { connectDatagrams, type DatagramTransportOptions } from './datagram-connection.ts';
import { connectDeviceStream, type StreamTransportOptions } from './stream-connection.ts';

/** What the transport of a fleet is made from. */
export type FleetTransportOptions = DatagramTransportOptions & StreamTransportOptions;

/**
 * Connections of LwM2M devices, as the URI of each account asks: coap and coaps on a UDP socket, coap+tcp and
 * coaps+tcp on a connection. Keys stay in the card. One serves a fleet.
 */
export function createFleetTransport(options: FleetTransportOptions): Lwm2mTransport {
  return { connect: (request) => connect(options, request) };
}

async function connect(options: FleetTransportOptions, request: ConnectRequest): Promise<Lwm2mConnection> {
  const { scheme, host, port } = parseServerUri(request.account.uri);
  const address = isIP(host) === 0 ? (await lookup(host)).address : host;
  const place = { address, port };
  switch (scheme) {
    case 'coap':
      return connectDatagrams(options, request, place, false);
    case 'coaps':
      return connectDatagrams(options, request, place, true);
    case 'coap+tcp':
      return connectDeviceStream(options, request, place, false);
    case 'coaps+tcp':
      return connectDeviceStream(options, request, place, true);
    default:
      return scheme satisfies never;
  }
}

/** Where a server is, from the URI of its account. */
function parseServerUri(uri: string): CoapUri {
  try {
    return parseCoapUri(uri);
  } catch (cause) {
    if (!isSefleetError(cause)) throw cause;
    throw simulationError('SIM_URI_INVALID', `no server is at ${uri}`, { context: { uri }, cause });
  }
}
