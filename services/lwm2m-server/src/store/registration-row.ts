import type { AnnouncementTable, Registration } from '@sefleet/lwm2m-coap';

/** A registration as a row: the columns of table `registrations`. */
export interface RegistrationRow extends Record<string, string | number | null> {
  readonly endpoint: string;
  readonly id: string;
  readonly credential: string;
  readonly kind: string;
  readonly version: string;
  readonly lifetime_seconds: number;
  readonly binding: string;
  readonly queue_mode: number;
  readonly sms_number: string | null;
  readonly links: string;
  readonly registered_at_ms: number;
  readonly updated_at_ms: number;
}

export function toRow(registration: Registration): RegistrationRow {
  return {
    endpoint: registration.endpoint,
    id: registration.id,
    credential: registration.credential,
    kind: registration.kind,
    version: registration.version,
    lifetime_seconds: registration.lifetimeSeconds,
    binding: registration.binding,
    queue_mode: Number(registration.queueMode),
    sms_number: registration.smsNumber ?? null,
    links: registration.announcement.links,
    registered_at_ms: Math.round(registration.registeredAtMs),
    updated_at_ms: Math.round(registration.updatedAtMs),
  };
}

/** A registration from a row that {@link toRow} made; drivers differ in how they type integers. */
export function fromRow(
  row: Readonly<Record<string, unknown>>,
  announcements: AnnouncementTable,
): Registration {
  const text = (name: string): string => String(row[name]);
  const smsNumber = row['sms_number'];
  return {
    endpoint: text('endpoint'),
    id: text('id'),
    credential: text('credential'),
    kind: text('kind'),
    version: text('version'),
    lifetimeSeconds: Number(row['lifetime_seconds']),
    binding: text('binding'),
    queueMode: Number(row['queue_mode']) === 1,
    smsNumber: typeof smsNumber === 'string' ? smsNumber : undefined,
    announcement: announcements.parse(new TextEncoder().encode(text('links'))),
    registeredAtMs: Number(row['registered_at_ms']),
    updatedAtMs: Number(row['updated_at_ms']),
  };
}
