import type { management } from '@sefleet/api';
import type { RegistrationTraits } from '../../domain/registration-traits.ts';
import { callerPath } from '../../domain/senml.ts';
import { serviceError } from '../../errors.ts';

/** More would be no filter. */
const OBJECTS_MAX = 64;
const VERSIONS: ReadonlySet<string> = new Set(['1.0', '1.1', '1.2']);
/** Letters of Core §6.2.1.2, and queue mode. */
const BINDING = /^[UMHTSNQ]{0,7}$/;

/** What a caller's filter asks for. @throws SefleetError `LWM2M_REQUEST_INVALID` */
export function toTraits(filter: management.RegistrationFilter | undefined): RegistrationTraits | undefined {
  if (filter === undefined) return undefined;
  const { sleeping, reachable, lwm2mVersion, binding, expiresWithinSeconds, silentForSeconds, gateway } =
    filter;
  if (lwm2mVersion !== '' && !VERSIONS.has(lwm2mVersion)) throw invalid('lwm2m_version is 1.0, 1.1 or 1.2');
  if (!BINDING.test(binding)) throw invalid('binding has letters of U, M, H, T, S, N and Q');
  if (filter.objects.length > OBJECTS_MAX) throw invalid(`objects has at most ${OBJECTS_MAX} paths`);
  const objects = filter.objects.map(callerPath);
  const other = objects.find(({ depth }) => depth < 1 || depth > 2);
  if (other !== undefined) throw invalid(`objects: ${other.toString()} is neither an object nor an instance`);
  return {
    sleeping,
    reachable,
    objects,
    binding,
    version: lwm2mVersion || undefined,
    expiresWithinSeconds: expiresWithinSeconds || undefined,
    silentForSeconds: silentForSeconds || undefined,
    gateway: gateway || undefined,
  };
}

function invalid(message: string): Error {
  return serviceError('LWM2M_REQUEST_INVALID', `filter: ${message}`);
}
