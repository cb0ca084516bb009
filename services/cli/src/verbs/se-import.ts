import { readFileSync } from 'node:fs';
import { usageError, type Verb } from '../command-line.ts';
import { withBackend } from './fleet.ts';

export const seImport: Verb = {
  name: 'se import',
  summary: 'put a card back from an image of it that goes on from where the card is; others are refused',
  positionals: '<endpoint>',
  options: { in: { type: 'string', value: 'file', doc: 'the image, as `se export` writes it' } },
  examples: ['sefleet se import urn:dev:sefleet:meter-000001 --in meter-000001.card'],
  run: (parsed) => {
    const [endpoint] = parsed.positionals;
    const file = parsed.text('in');
    if (endpoint === undefined || file === undefined) {
      throw usageError('a card and --in are needed', 'sefleet se import <endpoint> --in <file>');
    }
    const image = read(file);
    return withBackend(async (backend) => {
      const { revision } = await backend.secureElements.importImage({ endpoint, image });
      console.log(`${endpoint} has the card of ${file}, revision ${revision}`);
    });
  },
};

function read(file: string): Uint8Array {
  try {
    return Uint8Array.from(readFileSync(file));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw usageError(`the image cannot be read: ${reason}`, 'sefleet se import <endpoint> --in <file>');
  }
}
