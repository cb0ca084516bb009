import { usageError, type Verb } from '../command-line.ts';
import { writeResult } from '../result-file.ts';
import { withBackend } from './fleet.ts';

export const seExport: Verb = {
  name: 'se export',
  summary: 'write the image of a card to a file; it holds the keys',
  positionals: '<endpoint>',
  options: { out: { type: 'string', value: 'file', doc: 'where to' } },
  examples: ['sefleet se export urn:dev:sefleet:meter-000001 --out meter-000001.card'],
  run: (parsed) => {
    const [endpoint] = parsed.positionals;
    const file = parsed.text('out');
    if (endpoint === undefined || file === undefined) {
      throw usageError('a card and --out are needed', 'sefleet se export <endpoint> --out <file>');
    }
    return withBackend(async (backend) => {
      const { image } = await backend.secureElements.exportImage({ endpoint });
      writeResult(file, image, { isSecret: true });
      console.log(`${image.length} bytes to ${file}`);
    });
  },
};
