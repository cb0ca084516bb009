import type { AnnouncementTable, Registration } from '@sefleet/lwm2m-coap';
import type { SqlRow, SqlValue } from '@sefleet/service';

/** Values of `saveRegistration`. */
export function registrationValues(registration: Registration): readonly SqlValue[] {
  const { endpoint, id, credential, kind, version, lifetimeSeconds, binding, announcement } = registration;
  return [
    endpoint,
    id,
    credential,
    kind,
    version,
    lifetimeSeconds,
    binding,
    Number(registration.queueMode),
    registration.smsNumber ?? null,
    announcement.links,
    Math.round(registration.registeredAtMs),
    Math.round(registration.updatedAtMs),
  ];
}

/** Values of `touchRegistration`. */
export function touchValues(registration: Registration): readonly SqlValue[] {
  const { endpoint, id, lifetimeSeconds, binding, queueMode, smsNumber, announcement, updatedAtMs } =
    registration;
  const changed = [lifetimeSeconds, binding, Number(queueMode), smsNumber ?? null, announcement.links];
  return [...changed, Math.round(updatedAtMs), endpoint, id];
}

/** A registration from its row. */
export function toRegistration(row: SqlRow, announcements: AnnouncementTable): Registration {
  const smsNumber = row['sms_number'];
  return {
    endpoint: String(row['endpoint']),
    id: String(row['id']),
    credential: String(row['credential']),
    kind: String(row['kind']),
    version: String(row['version']),
    lifetimeSeconds: Number(row['lifetime_seconds']),
    binding: String(row['binding']),
    queueMode: Number(row['queue_mode']) === 1,
    smsNumber: typeof smsNumber === 'string' ? smsNumber : undefined,
    announcement: announcements.parse(new TextEncoder().encode(String(row['links']))),
    registeredAtMs: Number(row['registered_at_ms']),
    updatedAtMs: Number(row['updated_at_ms']),
  };
}
