import { switching } from '@sefleet/api';
import { usageError, type Verb, type VerbArguments } from '../command-line.ts';
import { findSwitch, switchName } from '../switching/find-switch.ts';
import { namedMeters } from '../switching/named-meters.ts';
import { withBackend } from './fleet.ts';

const { SwitchControl } = switching;
const SWITCH = '<switch id, or last>';
/** Every meter that is taken back is written down before the answer comes. */
const LIMIT = { deadlineMs: 120_000 };

export const switchPause = ofAll(
  'pause',
  SwitchControl.PAUSE,
  'let a switch rest after the steps in work; meters are still taken back',
);
export const switchResume = ofAll(
  'resume',
  SwitchControl.RESUME,
  'let a switch go on that was paused or had stopped by itself',
);
export const switchCancel = ofAll(
  'cancel',
  SwitchControl.CANCEL,
  'take every meter back that has not taken its cut-over reading',
);

export const switchObject: Verb = {
  name: 'switch object',
  summary: 'take single meters back: their old supplier objects',
  positionals: `${SWITCH} [endpoint...]`,
  options: {
    file: { type: 'string', value: 'path', doc: 'meters, one a line; - is standard input' },
    json: { type: 'boolean', doc: 'as JSON' },
  },
  examples: [
    'sefleet switch object last urn:dev:sefleet:meter-000001',
    'sefleet switch object last --file objections.txt',
  ],
  run: async (parsed) => {
    const [name, ...names] = parsed.positionals;
    const endpoints = namedMeters(names, parsed.text('file'));
    if (endpoints.length === 0)
      throw usageError('which meters?', 'Name them after the switch, or with --file; cancel takes back all.');
    return steer(parsed, switchName(name), SwitchControl.OBJECT, endpoints);
  },
};

function ofAll(word: string, control: switching.SwitchControl, summary: string): Verb {
  return {
    name: `switch ${word}`,
    summary,
    positionals: SWITCH,
    options: { json: { type: 'boolean', doc: 'as JSON' } },
    examples: [`sefleet switch ${word} last`],
    run: async (parsed) => {
      const [name, ...more] = parsed.positionals;
      if (more.length > 0)
        throw usageError(
          `unexpected argument ${JSON.stringify(more[0])}`,
          'It is about all meters of one switch; `sefleet switch object` takes single ones back.',
        );
      return steer(parsed, switchName(name), control, []);
    },
  };
}

function steer(
  parsed: VerbArguments,
  name: string,
  control: switching.SwitchControl,
  endpoints: readonly string[],
) {
  return withBackend(async ({ switching: office }) => {
    const switchId = await findSwitch(office, name);
    const answer = await office.controlSwitch({ switchId, control, endpoints: [...endpoints] }, LIMIT);
    const [takenBack, tooLate] = [Number(answer.takenBack), Number(answer.tooLate)];
    const isRest = control === SwitchControl.PAUSE || control === SwitchControl.RESUME;
    if (parsed.flag('json'))
      console.log(JSON.stringify(isRest ? { switchId } : { switchId, takenBack, tooLate }));
    else if (control === SwitchControl.PAUSE) console.log(`${switchId} rests after the steps in work`);
    else if (control === SwitchControl.RESUME) console.log(`${switchId} goes on`);
    else
      console.log(
        `${switchId}: ${takenBack} meters go back` +
          (tooLate === 0 ? '' : `, ${tooLate} have taken their cut-over reading and can only go on`),
      );
  });
}
