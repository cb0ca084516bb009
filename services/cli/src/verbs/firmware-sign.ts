import { createHash, createPrivateKey, sign, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { SefleetError } from '@sefleet/errors';
import { encodeFirmwareImage, encodeFirmwareManifest } from '@sefleet/lwm2m';
import { usageError, type Verb } from '../command-line.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { writeResult } from '../result-file.ts';

const VERSION_NUMBER_MAX = 0xffff_ffff;
const KINDS = ['smart-meter', 'obu', 'rpm-gateway'];

export const firmwareSign: Verb = {
  name: 'firmware sign',
  summary: 'make a signed firmware image of a payload, as the cards of devices accept it',
  positionals: '<payload file>',
  options: {
    kind: { type: 'string', value: 'kind', doc: `kind of device: ${KINDS.join(', ')}` },
    number: {
      type: 'string',
      value: 'n',
      doc: 'counts the releases of the kind; devices refuse a lower one',
    },
    version: { type: 'string', value: 'text', doc: 'version that the device then shows' },
    key: { type: 'string', value: 'file', doc: 'private key of the firmware authority, PEM' },
    out: { type: 'string', value: 'file', doc: 'where to' },
  },
  examples: [
    'sefleet firmware sign app.bin --kind smart-meter --number 2 --version 2.0.0 \\\n' +
      '    --key .sefleet/provisioning/firmware.key --out app.fw',
  ],
  run: async (parsed) => {
    const [file] = parsed.positionals;
    const needed = (name: string): string => {
      const text = parsed.text(name);
      if (text === undefined) throw usageError(`--${name} is needed`, 'See `sefleet firmware sign --help`.');
      return text;
    };
    if (file === undefined)
      throw usageError('a payload file is needed', 'See `sefleet firmware sign --help`.');
    const kind = needed('kind');
    if (!KINDS.includes(kind)) throw usageError(`unknown kind ${kind}`, `One of ${KINDS.join(', ')}.`);
    const payload = read(file);
    const manifest = {
      kind,
      versionNumber: parsed.integer('number', 1, VERSION_NUMBER_MAX),
      version: needed('version'),
      payloadBytes: payload.length,
      payloadHash: Uint8Array.from(createHash('sha256').update(payload).digest()),
    };
    const key = privateKey(needed('key'));
    const message = encodeFirmwareManifest(manifest);
    const signature = sign('sha256', message, { key, dsaEncoding: 'ieee-p1363' });
    const image = encodeFirmwareImage(manifest, Uint8Array.from(signature), payload);
    writeResult(needed('out'), image);
    console.log(`${image.length} bytes to ${needed('out')}`);
    return EXIT_CODES.passed;
  },
};

function privateKey(file: string): KeyObject {
  const pem = read(file);
  try {
    const key = createPrivateKey(Buffer.from(pem));
    if (key.asymmetricKeyDetails?.namedCurve === 'prime256v1') return key;
  } catch {
    // Told below, without what the file holds.
  }
  throw new SefleetError('CLI_USAGE', 'caller', `${file} holds no private key on P-256`, {
    hint: 'Name the PEM file of the firmware authority.',
  });
}

function read(file: string): Uint8Array {
  try {
    return Uint8Array.from(readFileSync(file));
  } catch (cause) {
    throw new SefleetError('CLI_USAGE', 'caller', `${file} cannot be read`, { cause, hint: 'Name a file.' });
  }
}
