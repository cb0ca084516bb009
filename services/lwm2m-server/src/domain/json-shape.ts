/** Reads the parts of a JSON document, and says where one is not what it has to be. */
export class JsonShape {
  readonly #fail: (message: string, cause?: unknown) => Error;

  /** @param fail makes the error to throw */
  constructor(fail: (message: string, cause?: unknown) => Error) {
    this.#fail = fail;
  }

  parse(text: string): unknown {
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw this.#fail('not JSON', cause);
    }
  }

  /** The members of an object; with `known`, no others. */
  members(value: unknown, place: string, known?: ReadonlySet<string>): Record<string, unknown> {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw this.#fail(`${place} is not an object`);
    }
    const unknown = Object.keys(value).find((name) => known?.has(name) === false);
    if (unknown !== undefined) throw this.#fail(`${place}.${unknown} is not known`);
    return { ...value };
  }

  /** The items of a list that may be left out. */
  list<T>(value: unknown, place: string, is: (item: unknown) => item is T): readonly T[] | undefined {
    if (value === undefined) return undefined;
    if (!Array.isArray(value)) throw this.#fail(`${place} is not a list`);
    const items: unknown[] = value;
    if (!items.every(is)) throw this.#fail(`${place} has an item that is not allowed`);
    return items;
  }
}

/** True for a text that is not empty. */
export function isText(item: unknown): item is string {
  return typeof item === 'string' && item !== '';
}
