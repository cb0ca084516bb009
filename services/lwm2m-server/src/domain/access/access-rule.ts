import { serviceError } from '../../errors.ts';

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
export interface AccessRule {
  readonly operations?: ReadonlySet<CallerOperation>;
  /** `smart-meter`, `obu`, `rpm-gateway`. */
  readonly kinds?: ReadonlySet<string>;
  /** Endpoint names; one `*` at the end stands for any rest. */
  readonly endpoints?: readonly string[];
  readonly objects?: ReadonlySet<number>;
  /** AIDs of Security Domains and applications in upper-case hexadecimal that APDUs may select. */
  readonly securityDomains?: ReadonlySet<string>;
}

/**
 * Reads the rules of an access file: `{"callers": {"<common name>": {"operations": [...], "kinds": [...],
 * "endpoints": [...], "objects": [...], "securityDomains": [...]}}}`. A list that is left out does not
 * restrict.
 *
 * @throws SefleetError `LWM2M_ACCESS_FILE_INVALID`, naming the place
 */
export function parseAccessRules(text: string): ReadonlyMap<string, AccessRule> {
  const callers = membersOf(membersOf(parseJson(text), 'the file')['callers'], 'callers');
  return new Map(
    Object.entries(callers).map(([caller, rule]) => [caller, parseRule(rule, `callers.${caller}`)]),
  );
}

function parseRule(value: unknown, place: string): AccessRule {
  const members = membersOf(value, place);
  const unknown = Object.keys(members).find((name) => !RULE_MEMBERS.has(name));
  if (unknown !== undefined) throw invalid(`${place}.${unknown} is not known`);
  const texts = (name: string): readonly string[] | undefined =>
    listOf(members[name], `${place}.${name}`, isText);
  const operations = listOf(members['operations'], `${place}.operations`, isOperation);
  const objects = listOf(members['objects'], `${place}.objects`, isObjectId);
  const kinds = texts('kinds');
  const endpoints = texts('endpoints');
  const securityDomains = texts('securityDomains')?.map((aid) => aid.toUpperCase());
  return {
    ...(operations === undefined ? {} : { operations: new Set(operations) }),
    ...(kinds === undefined ? {} : { kinds: new Set(kinds) }),
    ...(endpoints === undefined ? {} : { endpoints }),
    ...(objects === undefined ? {} : { objects: new Set(objects) }),
    ...(securityDomains === undefined ? {} : { securityDomains: new Set(securityDomains) }),
  };
}

const RULE_MEMBERS: ReadonlySet<string> = new Set([
  'operations',
  'kinds',
  'endpoints',
  'objects',
  'securityDomains',
]);

function listOf<T>(
  value: unknown,
  place: string,
  is: (item: unknown) => item is T,
): readonly T[] | undefined {
  if (value === undefined) return undefined;
  if (!Array.isArray(value)) throw invalid(`${place} is not a list`);
  const items: unknown[] = value;
  if (!items.every(is)) throw invalid(`${place} has an item that is not allowed`);
  return items;
}

function isText(item: unknown): item is string {
  return typeof item === 'string' && item !== '';
}

function isObjectId(item: unknown): item is number {
  return typeof item === 'number' && Number.isInteger(item) && item >= 0 && item <= 65_534;
}

function isOperation(item: unknown): item is CallerOperation {
  return CALLER_OPERATIONS.some((operation) => operation === item);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw invalid('not JSON', cause);
  }
}

function membersOf(value: unknown, place: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid(`${place} is not an object`);
  return { ...value };
}

function invalid(message: string, cause?: unknown): Error {
  return serviceError('LWM2M_ACCESS_FILE_INVALID', `access rules: ${message}`, {
    cause,
    hint: 'Correct the file that SEFLEET_LWM2M_ACCESS names.',
  });
}
