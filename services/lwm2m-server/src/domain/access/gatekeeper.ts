import type { Lwm2mPath } from '@sefleet/lwm2m';
import type { Clock } from '@sefleet/runtime';
import { OWN_CALLERS } from '@sefleet/service';
import { serviceError } from '../../errors.ts';
import type { AuditRecord, AuditStore } from '../audit-record.ts';
import { hasKind, hasName } from '../cohort.ts';
import type { AccessRule, CallerOperation } from './access-rule.ts';

/** What a caller wants to do. */
export interface AccessRequest {
  readonly caller: string;
  readonly operation: CallerOperation;
  /** The device, when it is about one. */
  readonly device?: { readonly endpoint: string; readonly kind: string };
  readonly paths?: readonly Lwm2mPath[];
}

/** What {@link Gatekeeper} works with. */
export interface GatekeeperParts {
  readonly rules: ReadonlyMap<string, AccessRule>;
  readonly store: AuditStore;
  readonly clock: Clock;
  /** Told of every refusal as it is kept. */
  readonly refused: (record: AuditRecord) => void;
}

/** What was refused: an operation that rules know, or a method to somebody who is no caller. */
type Refusal = Omit<AccessRequest, 'operation'> & { readonly operation: string };

/** What is kept of one refusal: a call may name thousands of paths, and a device by a name of megabytes. */
const PATHS_KEPT = 16;
const ENDPOINT_KEPT = 255;

/** The rules without an access file: our own services may do everything, everybody else nothing. */
export const DEFAULT_RULES: ReadonlyMap<string, AccessRule> = new Map(
  Array.from(OWN_CALLERS, (name) => [name, {}]),
);

/** Decides by a caller's certificate what it may do to which devices, and keeps a record of every refusal. */
export class Gatekeeper {
  readonly #parts: GatekeeperParts;

  constructor(parts: GatekeeperParts) {
    this.#parts = parts;
  }

  /** @throws SefleetError `LWM2M_ACCESS_FORBIDDEN` */
  require(request: AccessRequest): AccessRule {
    const rule = this.#parts.rules.get(request.caller);
    if (rule === undefined) throw this.refuse(request, 'unknown caller');
    const reason = refusalOf(rule, request);
    if (reason !== undefined) throw this.refuse(request, reason);
    return rule;
  }

  /** As {@link Gatekeeper.require}, for filters: no record, no error. */
  allows(request: AccessRequest): boolean {
    const rule = this.#parts.rules.get(request.caller);
    return rule !== undefined && refusalOf(rule, request) === undefined;
  }

  /** Records a refusal. @returns the error to throw */
  refuse(request: AccessRequest, reason: string): Error {
    const { caller, operation } = request;
    const { endpoint, path } = this.record(request, reason);
    return serviceError('LWM2M_ACCESS_FORBIDDEN', `${caller} may not ${operation}: ${reason}`, {
      context: { caller, operation, endpoint, path },
    });
  }

  /** Keeps a record of a refusal, and tells of it. */
  record(refusal: Refusal, reason: string): AuditRecord {
    const { caller, operation, device, paths = [] } = refusal;
    const endpoint = (device?.endpoint ?? '').slice(0, ENDPOINT_KEPT);
    const atMs = this.#parts.clock.wallMs();
    const path = paths.slice(0, PATHS_KEPT).join(' ') + (paths.length > PATHS_KEPT ? ' ...' : '');
    const record = { atMs, caller, operation, endpoint, path, reason };
    this.#parts.store.saveAudit(record);
    this.#parts.refused(record);
    return record;
  }
}

/** Why a rule refuses, or undefined when it does not. */
function refusalOf(rule: AccessRule, { operation, device, paths = [] }: AccessRequest): string | undefined {
  if (rule.operations?.has(operation) === false) return 'operation not granted';
  if (device !== undefined) {
    if (!hasKind(rule, device.kind)) return 'kind of device not granted';
    if (!hasName(rule, device.endpoint)) return 'device not granted';
  }
  if (rule.objects !== undefined) {
    for (const { objectId } of paths) {
      if (objectId === undefined || !rule.objects.has(objectId)) return 'object not granted';
    }
  }
  return undefined;
}
