import { serviceError } from '../../errors.ts';
import type { Cohort } from '../cohort.ts';
import { isText, JsonShape } from '../json-shape.ts';

/** What a caller may ask for. */
const CALLER_OPERATIONS = [
  'list',
  'statistics',
  'read',
  'write',
  'execute',
  'create',
  'delete',
  'discover',
  'attributes',
  'observe',
  'apdu',
  'events',
  'campaign',
  'audit',
] as const;

/** What a rule can grant. */
export type CallerOperation = (typeof CALLER_OPERATIONS)[number];

/** What one caller may do; what is undefined is not restricted. */
export interface AccessRule extends Cohort {
  readonly operations?: ReadonlySet<CallerOperation>;
  readonly objects?: ReadonlySet<number>;
  /** AIDs of Security Domains and applications in upper-case hexadecimal that APDUs may select. */
  readonly securityDomains?: ReadonlySet<string>;
}

/** True when a rule grants everything about every device: such a caller sees what others started, too. */
export function isUnrestricted({ kinds, endpoints, objects }: AccessRule): boolean {
  return kinds === undefined && endpoints === undefined && objects === undefined;
}

/**
 * Reads the rules of an access file: `{"callers": {"<common name>": {"operations": [...], "kinds": [...],
 * "endpoints": [...], "objects": [...], "securityDomains": [...]}}}`. A list that is left out does not
 * restrict.
 *
 * @throws SefleetError `LWM2M_ACCESS_FILE_INVALID`, naming the place
 */
export function parseAccessRules(text: string): ReadonlyMap<string, AccessRule> {
  const callers = SHAPE.members(SHAPE.members(SHAPE.parse(text), 'the file')['callers'], 'callers');
  return new Map(
    Object.entries(callers).map(([caller, rule]) => [caller, parseRule(rule, `callers.${caller}`)]),
  );
}

function parseRule(value: unknown, place: string): AccessRule {
  const members = SHAPE.members(value, place, RULE_MEMBERS);
  const operations = SHAPE.list(members['operations'], `${place}.operations`, isOperation);
  const objects = SHAPE.list(members['objects'], `${place}.objects`, isObjectId);
  const kinds = SHAPE.list(members['kinds'], `${place}.kinds`, isText);
  const endpoints = SHAPE.list(members['endpoints'], `${place}.endpoints`, isText);
  const securityDomains = SHAPE.list(members['securityDomains'], `${place}.securityDomains`, isText);
  return {
    ...(operations === undefined ? {} : { operations: new Set(operations) }),
    ...(kinds === undefined ? {} : { kinds: new Set(kinds) }),
    ...(endpoints === undefined ? {} : { endpoints }),
    ...(objects === undefined ? {} : { objects: new Set(objects) }),
    ...(securityDomains === undefined ? {} : { securityDomains: new Set(securityDomains.map(upperCase)) }),
  };
}

const RULE_MEMBERS: ReadonlySet<string> = new Set([
  'operations',
  'kinds',
  'endpoints',
  'objects',
  'securityDomains',
]);

const SHAPE = new JsonShape((message, cause) =>
  serviceError('LWM2M_ACCESS_FILE_INVALID', `access rules: ${message}`, {
    cause,
    hint: 'Correct the file that SEFLEET_LWM2M_ACCESS names.',
  }),
);

function upperCase(text: string): string {
  return text.toUpperCase();
}

function isObjectId(item: unknown): item is number {
  return typeof item === 'number' && Number.isInteger(item) && item >= 0 && item <= 65_534;
}

function isOperation(item: unknown): item is CallerOperation {
  return CALLER_OPERATIONS.some((operation) => operation === item);
}
