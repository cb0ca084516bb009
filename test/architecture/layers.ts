/**
 * The rooms by layer: a room imports only from layers below its own. The one place where this is written for
 * tools.
 */
export const LAYERS: readonly (readonly string[])[] = [
  ['packages/bytes', 'packages/errors', 'packages/runtime'],
  ['packages/config', 'packages/observability', 'packages/api'],
  [
    'packages/cose',
    'packages/coap',
    'packages/dtls',
    'packages/lwm2m',
    'packages/globalplatform',
    'packages/pki',
    'packages/racs',
    'packages/vpcd',
    'packages/evidence',
  ],
  ['packages/secure-element', 'packages/lwm2m-coap', 'packages/service'],
  [
    'services/lwm2m-server',
    'services/device-sim',
    'services/provisioning',
    'services/analytics',
    'services/cli',
  ],
];

/** The room that a file belongs to, for example `packages/coap`. */
export function roomOf(path: string): string | undefined {
  return /^((?:packages|services)\/[^/]+)\//.exec(path)?.[1];
}

/** The layer of a room; undefined for one that the table forgot. */
export function layerOf(room: string): number | undefined {
  const layer = LAYERS.findIndex((rooms) => rooms.includes(room));
  return layer === -1 ? undefined : layer;
}
