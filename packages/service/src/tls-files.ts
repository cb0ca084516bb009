import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SefleetError } from '@sefleet/errors';

/** What one party of a mutual TLS connection needs, PEM. */
export interface TlsFiles {
  readonly authority: Buffer;
  readonly certificate: Buffer;
  readonly privateKey: Buffer;
}

/**
 * Reads `ca.pem`, `<name>.pem` and `<name>.key` of a PKI folder.
 *
 * @throws SefleetError `TLS_FILES_MISSING`, fault `environment`.
 */
export function readTlsFiles(folder: string, name: string): TlsFiles {
  try {
    return {
      authority: readFileSync(join(folder, 'ca.pem')),
      certificate: readFileSync(join(folder, `${name}.pem`)),
      privateKey: readFileSync(join(folder, `${name}.key`)),
    };
  } catch (cause) {
    throw new SefleetError(
      'TLS_FILES_MISSING',
      'environment',
      `no usable certificate of ${name} in ${folder}`,
      {
        cause,
        hint: 'Run `sefleet up` once: it makes the local authority and a certificate for every service.',
      },
    );
  }
}
