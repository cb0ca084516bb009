import { createPublicKey, X509Certificate, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { common } from '@sefleet/api';
import { usageError, type Verb, type VerbArguments } from '../command-line.ts';
import { writeResult } from '../result-file.ts';
import { withBackend } from './fleet.ts';

const KINDS: ReadonlyMap<string, common.DeviceKind> = new Map([
  ['smart-meter', common.DeviceKind.SMART_METER],
  ['obu', common.DeviceKind.OBU],
  ['rpm-gateway', common.DeviceKind.RPM_GATEWAY],
]);

export const deviceAdd: Verb = {
  name: 'device add',
  summary: 'let a device in that runs elsewhere: by a PSK, a raw public key or a certificate',
  positionals: '<endpoint>',
  options: {
    kind: { type: 'string', value: 'kind', default: 'smart-meter', doc: [...KINDS.keys()].join(' | ') },
    certificate: {
      type: 'string',
      value: 'folder',
      doc: 'also writes <endpoint>.pem, .key and ca.pem there',
    },
    'public-key': {
      type: 'string',
      value: 'file',
      doc: 'also lets it in by this raw public key (SubjectPublicKeyInfo, PEM or DER)',
    },
    'own-certificate': {
      type: 'string',
      value: 'file',
      doc: 'also lets it in by exactly this certificate (PEM or DER)',
    },
    'own-authority': {
      type: 'string',
      value: 'file',
      doc: 'also lets it in by what this authority certified for its name (PEM or DER)',
    },
    json: { type: 'boolean', doc: 'as JSON' },
  },
  examples: [
    'sefleet device add my-meter-1',
    'sefleet device add my-car-1 --kind obu --certificate ./credentials --json',
    'sefleet device add my-meter-2 --public-key ./meter-2.pub.pem',
  ],
  run: (parsed) => {
    const [endpoint, ...more] = parsed.positionals;
    const kind = KINDS.get(parsed.text('kind') ?? '');
    if (endpoint === undefined || more.length > 0 || !/^[\w.:-]{1,64}$/.test(endpoint)) {
      throw usageError(
        'one endpoint name of 1 to 64 letters, digits, dots, colons, dashes and underscores is needed',
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
    const ownCredentials = readOwnCredentials(parsed);
    return withBackend(async (backend) => {
      const made = await backend.manufacturing.addSoftwareDevice({
        endpoint,
        kind,
        withCertificate: folder !== undefined,
        ownCredentials,
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

function readOwnCredentials(parsed: VerbArguments) {
  const read = (option: string, parse: (file: Buffer) => Uint8Array): Uint8Array | undefined => {
    const path = parsed.text(option);
    if (path === undefined) return undefined;
    try {
      return parse(readFileSync(path));
    } catch {
      const what = option === 'public-key' ? 'a public key' : 'a certificate';
      throw usageError(`--${option} ${path} cannot be read as ${what}`, 'It has to be PEM or DER.');
    }
  };
  const certificate = (file: Buffer): Uint8Array => new X509Certificate(file).raw;
  const publicKey = read('public-key', toSubjectPublicKeyInfo);
  const own = read('own-certificate', certificate);
  const authority = read('own-authority', certificate);
  return [
    ...(publicKey === undefined ? [] : [{ credential: { case: 'publicKey' as const, value: publicKey } }]),
    ...(own === undefined ? [] : [{ credential: { case: 'certificate' as const, value: own } }]),
    ...(authority === undefined ? [] : [{ credential: { case: 'authority' as const, value: authority } }]),
  ];
}

function toSubjectPublicKeyInfo(file: Buffer): Uint8Array {
  const isPem = file.includes('-----BEGIN');
  // A private key would be read as its public half: whoever passes one by mistake should be told.
  if (isPem && file.includes('PRIVATE KEY')) throw new TypeError('a private key');
  const key: KeyObject = isPem
    ? createPublicKey(file)
    : createPublicKey({ key: file, format: 'der', type: 'spki' });
  return key.export({ format: 'der', type: 'spki' });
}

function writeFiles(
  folder: string,
  endpoint: string,
  made: { readonly certificatePem: string; readonly privateKeyPem: string; readonly authorityPem: string },
): Record<string, string> {
  const name = endpoint.replaceAll(':', '_');
  const paths = {
    certificate: join(folder, `${name}.pem`),
    privateKey: join(folder, `${name}.key`),
    authority: join(folder, 'ca.pem'),
  };
  writeResult(paths.certificate, made.certificatePem, { withFolder: true });
  writeResult(paths.privateKey, made.privateKeyPem, { isSecret: true });
  writeResult(paths.authority, made.authorityPem);
  return paths;
}
