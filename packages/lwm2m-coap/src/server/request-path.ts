import type { Lwm2mPath } from '@sefleet/lwm2m';
import type { Registration } from './registration.ts';

/**
 * Uri-Path segments of a node, below the alternate path that the device registered with (Transport §6.4.1).
 */
export function requestPath({ announcement }: Registration, path: Lwm2mPath): readonly string[] {
  const ids = path.ids().map(String);
  if (announcement.rootPath === '/') return ids;
  return [...announcement.rootPath.split('/').filter((segment) => segment !== ''), ...ids];
}
