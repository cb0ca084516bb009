/** What came of asking a source for its next item. */
type Arrival<T> = {
  readonly name: string;
  readonly source: AsyncIterator<T>;
} & ({ readonly result: IteratorResult<T> } | { readonly error: unknown });

/**
 * Items of several sources with the names of these, in the order of their coming; each source is asked for
 * one item at a time. (`Promise.race` in a loop would leave some 250 bytes an item with the promise of a
 * source that is silent.)
 */
export async function* interleave<T>(
  sources: ReadonlyMap<string, AsyncIterator<T>>,
): AsyncGenerator<readonly [name: string, item: T]> {
  const arrived: Arrival<T>[] = [];
  let wakeUp = (): void => {};
  const arrive = (arrival: Arrival<T>): void => {
    arrived.push(arrival);
    wakeUp();
  };
  const ask = (name: string, source: AsyncIterator<T>): void => {
    source.next().then(
      (result) => arrive({ name, source, result }),
      (error: unknown) => arrive({ name, source, error }),
    );
  };
  for (const [name, source] of sources) ask(name, source);
  for (let open = sources.size; open > 0;) {
    const arrival = arrived.shift();
    if (arrival === undefined) {
      await new Promise<void>((resolve) => {
        wakeUp = resolve;
      });
    } else if ('error' in arrival) throw arrival.error;
    else if (arrival.result.done === true) open--;
    else {
      yield [arrival.name, arrival.result.value];
      ask(arrival.name, arrival.source);
    }
  }
}
