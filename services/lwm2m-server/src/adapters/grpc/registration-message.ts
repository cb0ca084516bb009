import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { management } from '@sefleet/api';
import type { RegisteredDevice } from '@sefleet/lwm2m-coap';
import { kindOf } from './device-kind.ts';

/** A registration as the contract has it. */
export function toRegistrationMessage({
  registration,
  sleeping,
  gateway,
}: RegisteredDevice): MessageInitShape<typeof management.RegistrationSchema> {
  const { id, endpoint, kind, lifetimeSeconds, version, binding, credential, announcement } = registration;
  return {
    endpoint,
    credential,
    sleeping,
    gateway: gateway ?? '',
    lifetimeSeconds,
    binding: registration.queueMode ? `${binding}Q` : binding,
    registrationId: id,
    kind: kindOf(kind),
    registeredAt: timestampFromMs(registration.registeredAtMs),
    updatedAt: timestampFromMs(registration.updatedAtMs),
    lwm2mVersion: version,
    objects: announcement.objects.map(
      ({ path, prefix }) => (prefix === undefined ? '' : `/${prefix}`) + path,
    ),
  };
}
