/** Tells what is wrong with a value, by where it stands; nothing when it has the shape. */
export type Shape = (value: unknown, path: string) => readonly string[];

/** A text, at most `max` characters, that matches `pattern`. */
export function text(max: number, pattern = /^/): Shape {
  return (value, path) => {
    const fits = typeof value === 'string' && value.length <= max && pattern.test(value);
    return fits ? [] : [`${path} is no ${pattern.source === '^' ? 'text' : String(pattern)}`];
  };
}

/** Exactly this text. */
export function literal(expected: string): Shape {
  return (value, path) => (value === expected ? [] : [`${path} is not ${expected}`]);
}

/** A whole number that a double holds exactly, not negative. */
export const whole: Shape = (value, path) =>
  Number.isSafeInteger(value) && Number(value) >= 0 ? [] : [`${path} is no whole number`];

/** A list of at most `max` entries. */
export function list(entry: Shape, max: number): Shape {
  return (value, path) => {
    if (!Array.isArray(value)) return [`${path} is no list`];
    if (value.length > max) return [`${path} has more than ${max} entries`];
    return firstProblem(value.map((item: unknown, i) => () => entry(item, `${path}[${i}]`)));
  };
}

/** An object with these fields and no others; the names of `optional` ones may be absent. */
export function fields(shape: Readonly<Record<string, Shape>>, optional: readonly string[] = []): Shape {
  return (value, path) => {
    if (!isObject(value)) return [`${path} is no object`];
    const unknown = Object.keys(value).find((name) => !Object.hasOwn(shape, name));
    if (unknown !== undefined) return [`${path}.${unknown} is not known`];
    return firstProblem(
      Object.entries(shape).map(([name, field]) => () => {
        if (Object.hasOwn(value, name)) return field(value[name], `${path}.${name}`);
        return optional.includes(name) ? [] : [`${path}.${name} is missing`];
      }),
    );
  };
}

/** An object whose names are free and whose values have one shape. */
export function dictionary(entry: Shape, max: number): Shape {
  return (value, path) => {
    if (!isObject(value)) return [`${path} is no object`];
    const entries = Object.entries(value);
    if (entries.length > max) return [`${path} has more than ${max} entries`];
    return firstProblem(
      entries.map(
        ([name, item]) =>
          () =>
            entry(item, `${path}.${name}`),
      ),
    );
  };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function firstProblem(checks: readonly (() => readonly string[])[]): readonly string[] {
  for (const check of checks) {
    const problems = check();
    if (problems.length > 0) return problems;
  }
  return [];
}
