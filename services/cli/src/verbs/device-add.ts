import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { common } from '@sefleet/api';
import { usageError, type Verb } from '../command-line.ts';
import { withBackend } from './fleet.ts';

const KINDS: ReadonlyMap<string, common.DeviceKind> = new Map([
  ['smart-meter', common.DeviceKind.SMART_METER],
  ['obu', common.DeviceKind.OBU],
  ['rpm-gateway', common.DeviceKind.RPM_GATEWAY],
]);

export const deviceAdd: Verb = {
  name: 'device add',
  summary: 'make the credentials of a device that runs elsewhere: a PSK, and a certificate if asked for',
  positionals: '<endpoint>',
  options: {
    kind: { type: 'string', value: 'kind', default: 'smart-meter', doc: [...KINDS.keys()].join(' | ') },
    certificate: {
      type: 'string',
      value: 'folder',
      doc: 'also writes <endpoint>.pem, .key and ca.pem there',
    },
    json: { type: 'boolean', doc: 'as JSON' },
  },
  examples: [
    'sefleet device add my-meter-1',
    'sefleet device add my-car-1 --kind obu --certificate ./credentials --json',
  ],
  run: (parsed) => {
    const [endpoint, ...more] = parsed.positionals;
    const kind = KINDS.get(parsed.text('kind') ?? '');
    if (endpoint === undefined || more.length > 0 || !/^[\w.:-]{1,100}$/.test(endpoint)) {
      throw usageError(
        'one endpoint name of 1 to 100 letters, digits, dots, colons, dashes and underscores is needed',
        'Try `sefleet device add my-meter-1`.',
      );
    }
    if (kind === undefined) {
      throw usageError(
        `--kind ${parsed.text('kind')} is not a kind`,
        `Use one of ${[...KINDS.keys()].join(', ')}.`,
      );
    }
    const folder = parsed.text('certificate');
    return withBackend(async (backend) => {
      const made = await backend.manufacturing.addSoftwareDevice({
        endpoint,
        kind,
        withCertificate: folder !== undefined,
      });
      const files = folder === undefined ? undefined : writeFiles(resolve(folder), endpoint, made);
      const shown = {
        endpoint,
        pskIdentity: made.pskIdentity,
        psk: Buffer.from(made.psk).toString('latin1'),
        pskHex: Buffer.from(made.psk).toString('hex'),
        ...files,
      };
      if (parsed.flag('json')) console.log(JSON.stringify(shown));
      else for (const [name, value] of Object.entries(shown)) console.log(`${name.padEnd(12)} ${value}`);
    });
  },
};

function writeFiles(
  folder: string,
  endpoint: string,
  made: { readonly certificatePem: string; readonly privateKeyPem: string; readonly authorityPem: string },
): Record<string, string> {
  mkdirSync(folder, { recursive: true });
  const name = endpoint.replaceAll(':', '_');
  const paths = {
    certificate: join(folder, `${name}.pem`),
    privateKey: join(folder, `${name}.key`),
    authority: join(folder, 'ca.pem'),
  };
  writeFileSync(paths.certificate, made.certificatePem);
  writeFileSync(paths.privateKey, made.privateKeyPem, { mode: 0o600 });
  writeFileSync(paths.authority, made.authorityPem);
  return paths;
}
