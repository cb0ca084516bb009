import type { Verb } from '../command-line.ts';
import { formatTable } from '../terminal/table.ts';
import { KIND_NAMES, withBackend } from './fleet.ts';

export const seList: Verb = {
  name: 'se list',
  summary: 'the secure elements of the running fleet',
  options: {
    limit: { type: 'string', value: 'n', default: '50', doc: 'how many at the most' },
    json: { type: 'boolean', doc: 'as JSON' },
  },
  examples: ['sefleet se list', 'sefleet se list --limit 1000 --json'],
  run: (parsed) =>
    withBackend(async (backend) => {
      const pageSize = parsed.integer('limit', 1, 1000);
      const { secureElements, total } = await backend.secureElements.listSecureElements({ pageSize });
      const rows = secureElements.map(({ endpoint, kind, revision, applications }) => ({
        endpoint,
        kind: KIND_NAMES[kind],
        revision: Number(revision),
        applications,
      }));
      if (parsed.flag('json')) console.log(JSON.stringify({ total: Number(total), secureElements: rows }));
      else {
        const cells = rows.map(
          (row) => [row.endpoint, row.kind, row.revision, row.applications.length] as const,
        );
        console.log(formatTable(['endpoint', 'kind', 'revision', 'applications'], cells));
        if (Number(total) > rows.length) console.log(`... ${Number(total) - rows.length} more: --limit`);
      }
    }),
};
