/** Which devices are meant; what is undefined does not restrict. */
export interface Cohort {
  /** `smart-meter`, `obu`, `rpm-gateway`. */
  readonly kinds?: ReadonlySet<string>;
  /** Endpoint names; one `*` at the end stands for any rest. */
  readonly endpoints?: readonly string[];
}

/** True when the device's kind is among those meant. */
export function hasKind({ kinds }: Cohort, kind: string): boolean {
  return kinds?.has(kind) !== false;
}

/** True when the device's name is among those meant. */
export function hasName({ endpoints }: Cohort, endpoint: string): boolean {
  return endpoints === undefined || endpoints.some((pattern) => matches(pattern, endpoint));
}

function matches(pattern: string, endpoint: string): boolean {
  return pattern.endsWith('*') ? endpoint.startsWith(pattern.slice(0, -1)) : pattern === endpoint;
}
