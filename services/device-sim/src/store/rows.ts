import { z } from 'zod';
import { FIRMWARE_RESULT } from '@sefleet/lwm2m';
import { DEFAULT_CONNECTIVITY, readConnectivity } from '../device/connectivity.ts';
import { DEVICE_KINDS } from '../device-kind.ts';

/** How devices reach their servers, as text; empty in what older versions wrote. */
export const connectivitySchema = z
  .string()
  .default('')
  .transform((text) => (text === '' ? DEFAULT_CONNECTIVITY : readConnectivity(text)))
  .refine((connectivity) => connectivity !== undefined)
  .transform((connectivity) => connectivity ?? DEFAULT_CONNECTIVITY);

/** The plan and the state of the fleet, as JSON. */
export const planSchema = z.object({
  seed: z.string().transform((text) => BigInt(text)),
  kinds: z.array(z.object({ kind: z.enum(DEVICE_KINDS), count: z.number(), readingIntervalMs: z.number() })),
  startRate: z.number(),
  timeCompression: z.number(),
  virtualStartMs: z.number().optional(),
  network: z.object({
    lossShare: z.number(),
    duplicateShare: z.number(),
    delayMsMin: z.number(),
    delayMsMax: z.number(),
    rebindEveryMs: z.number(),
  }),
  connectivity: connectivitySchema,
  state: z.enum(['running', 'draining', 'stopped']),
});
const bytes = z.instanceof(Uint8Array);
/** A row of `device` joined with `device_state`. */
export const deviceRow = z.object({
  id: z.number(),
  endpoint: z.string(),
  kind: z.enum(DEVICE_KINDS),
  number: z.number(),
  bootstrap_uri: z.string(),
  bootstrap_psk_identity: z.string(),
  bootstrap_secret_id: z.number(),
  device_key_id: z.number(),
  certificate_chain: z.string(),
  factory_accounts: bytes,
  connectivity: connectivitySchema,
  card_image: bytes,
  readings: z.string(),
  accounts: z.string(),
  supply: z.string(),
  sealed: z.number(),
  acknowledged: z.number(),
});
/** A row of `firmware`. */
export const firmwareRow = z.object({
  version_number: z.number(),
  version: z.string(),
  phase: z.enum(['idle', 'downloading', 'downloaded', 'updating']),
  result: z.literal(Object.values(FIRMWARE_RESULT)),
  package: bytes,
});
/** What the ledger takes of a device's row. */
export const ledgerRow = deviceRow.pick({ endpoint: true, sealed: true, acknowledged: true });
/** A row of `outbox`. */
export const outboxRow = z.object({ position: z.number(), sealed: bytes });
