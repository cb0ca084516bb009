import type { Lwm2mPath } from '@sefleet/lwm2m';
import type { Registration } from './registration.ts';

/**
 * Uri-Path segments of a node, below the alternate path that the device registered with (Transport §6.4.1).
 *
 * @param prefix of an end device behind the device (Gateway 1.1 §6)
 */
export function requestPath(
  { announcement }: Registration,
  path: Lwm2mPath,
  prefix: string | undefined,
): readonly string[] {
  const ids = path.ids().map(String);
  const below = prefix === undefined ? ids : [prefix, ...ids];
  if (announcement.rootPath === '/') return below;
  return [...announcement.rootPath.split('/').filter((segment) => segment !== ''), ...below];
}
