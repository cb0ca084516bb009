/** Writes `docs/errors.md` from the sources: `npm run docs:errors`. A test compares the two both ways. */
import { writeFileSync } from 'node:fs';
import { readErrorCodes } from '../test/architecture/error-codes.ts';

const byRoom = Map.groupBy(
  [...readErrorCodes().values()].toSorted((a, b) => (a.code < b.code ? -1 : 1)),
  ({ room }) => room,
);
const sections = [...byRoom]
  .toSorted(([a], [b]) => (a < b ? -1 : 1))
  .map(([room, codes]) =>
    [
      `## ${room}`,
      '',
      '| code | fault | meaning |',
      '|---|---|---|',
      ...codes.map(({ code, fault, doc }) => `| \`${code}\` | ${fault} | ${doc.replaceAll('|', '\\|')} |`),
    ].join('\n'),
  );
const head = `# Error codes

Every error is a \`SefleetError\` with one of these codes. \`fault\` says whose it is: \`peer\` (the other side sent something
wrong), \`caller\` (asked for something impossible), \`environment\` (machine, network, dependency) or \`internal\` (ours).
Programs match on the code; the text may change. Made from the sources by \`npm run docs:errors\`.
`;
writeFileSync('docs/errors.md', `${head}\n${sections.join('\n\n')}\n`);
