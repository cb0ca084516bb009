const SHOWN = 3;

/** A property of the whole rehearsal. */
export interface Invariant {
  readonly name: string;
  readonly holds: boolean;
  readonly detail: string;
}

/** Problems by meter, told as one invariant. */
export function invariantOf(name: string, problems: readonly string[], whenHolding: string): Invariant {
  const shown = problems.slice(0, SHOWN).join('; ');
  const more = problems.length > SHOWN ? ` and ${problems.length - SHOWN} more` : '';
  return { name, holds: problems.length === 0, detail: problems.length === 0 ? whenHolding : shown + more };
}
