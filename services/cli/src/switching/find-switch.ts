import { usageError } from '../command-line.ts';
import type { Office } from './collect-bundle.ts';

/** The name of a switch on the command line, which there has to be. */
export function switchName(name: string | undefined): string {
  if (name !== undefined) return name;
  const hint = '`sefleet switch list` tells which there are; `last` is the one that was started last.';
  throw usageError('which switch?', hint);
}

/** The switch that is meant: its id, or `last` for the one that was started last. */
export async function findSwitch(office: Office, name: string): Promise<string> {
  if (name !== 'last') return name;
  const { switches } = await office.listSwitches({ limit: 1 });
  const [latest] = switches;
  if (latest === undefined)
    throw usageError('no switch was started yet', '`sefleet switch start` does that.');
  return latest.switchId;
}
