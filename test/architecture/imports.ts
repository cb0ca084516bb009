import { cruise, type ICruiseResult } from 'dependency-cruiser';
import { layerOf, roomOf } from './layers.ts';

/** One import between two files of the project. */
export interface Import {
  readonly from: string;
  readonly to: string;
}

/** Every import between files of the project, type imports included. */
export async function readImports(
  folders: readonly string[],
): Promise<{ imports: Import[]; modules: number }> {
  const { output } = await cruise([...folders], {
    parser: 'swc',
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: String.raw`\.test\.ts$` },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
  });
  if (typeof output === 'string') throw new TypeError('dependency-cruiser gave a report instead of a result');
  return {
    imports: toImports(output),
    modules: output.modules.filter(({ source }) => roomOf(source)).length,
  };
}

function toImports(result: ICruiseResult): Import[] {
  return result.modules.flatMap(({ source, dependencies }) =>
    dependencies.map(({ resolved }) => ({ from: source, to: resolved })),
  );
}

/** What is wrong with an import, or undefined when it points down or stays at home. */
export function findBreach({ from, to }: Import): string | undefined {
  const [fromRoom, toRoom] = [roomOf(from), roomOf(to)];
  if (fromRoom === undefined || toRoom === undefined || fromRoom === toRoom) return undefined;
  const [fromLayer, toLayer] = [layerOf(fromRoom), layerOf(toRoom)];
  if (fromLayer === undefined) return `${fromRoom} stands in no layer`;
  if (toLayer === undefined) return `${toRoom} stands in no layer`;
  return toLayer < fromLayer ? undefined : `${from} (layer ${fromLayer}) imports ${to} (layer ${toLayer})`;
}

/** Files that import each other in a circle, one example a circle. */
export function findCycles(imports: readonly Import[]): string[][] {
  const next = Map.groupBy(
    imports.filter(({ to }) => roomOf(to) !== undefined),
    ({ from }) => from,
  );
  const done = new Set<string>();
  const cycles: string[][] = [];
  const visit = (file: string, trail: string[]): void => {
    const at = trail.indexOf(file);
    if (at !== -1) cycles.push([...trail.slice(at), file]);
    if (at !== -1 || done.has(file)) return;
    for (const { to } of next.get(file) ?? []) visit(to, [...trail, file]);
    done.add(file);
  };
  for (const file of next.keys()) visit(file, []);
  return cycles;
}
