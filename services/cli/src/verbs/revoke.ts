import type { parties } from '@sefleet/api';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { usageError, type Verb, type VerbArguments } from '../command-line.ts';
import { withBackend } from './fleet.ts';
import { dateOf, show } from './keys.ts';

type Subject = NonNullable<MessageInitShape<typeof parties.RevokeRequestSchema>['subject']>;

export const revokeDevice: Verb = revoke(
  'device',
  '<endpoint>',
  'take a device out for good: servers refuse its certificates and its keys',
  (value) => ({ case: 'endpoint', value }),
  'sefleet revoke device urn:dev:sefleet:meter-000001 --reason stolen',
);

export const revokeParty: Verb = revoke(
  'party',
  '<name>',
  'take a party out for good: services refuse it, and cards agree on no keys with it',
  (value) => ({ case: 'party', value }),
  'sefleet revoke party beacon-insurance --reason "licence withdrawn"',
);

export const revokeList: Verb = {
  name: 'revoke list',
  summary: 'what was revoked, when and why',
  options: { json: { type: 'boolean', doc: 'as JSON' } },
  examples: ['sefleet revoke list', 'sefleet revoke list --json'],
  run: (parsed) =>
    withBackend(async (backend) => {
      const { revocations } = await backend.revocations.listRevocations({});
      const rows = revocations.map(({ serialNumber, subject, revokedAt, reason }) => {
        return { at: dateOf(revokedAt), subject, reason, serialNumber };
      });
      show(parsed, rows, ['at', 'subject', 'reason', 'serialNumber']);
    }),
};

function revoke(
  what: string,
  positionals: string,
  summary: string,
  subjectOf: (value: string) => Subject,
  example: string,
): Verb {
  return {
    name: `revoke ${what}`,
    summary,
    positionals,
    options: {
      reason: { type: 'string', value: 'text', doc: 'why; it stands in the list' },
      json: { type: 'boolean', doc: 'as JSON' },
    },
    examples: [example],
    run: (parsed) =>
      withBackend(async (backend) => {
        const { value, reason } = readArguments(parsed, positionals);
        const { serialNumbers } = await backend.revocations.revoke({ subject: subjectOf(value), reason });
        if (parsed.flag('json')) console.log(JSON.stringify({ subject: value, serialNumbers }));
        else console.log(`${value} is out; revoked: ${serialNumbers.join(' ')}`);
      }),
  };
}

function readArguments(parsed: VerbArguments, positionals: string) {
  const [value, ...more] = parsed.positionals;
  const reason = parsed.text('reason') ?? '';
  if (value === undefined || more.length > 0) throw usageError(`${positionals} is needed`, 'One at a time.');
  if (reason === '') throw usageError('--reason is needed', 'There is no way back: say why.');
  return { value, reason };
}
