import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createRootAuthority, issueCertificate, type Credential } from '@sefleet/pki';

/** Organisation in the certificates of services and of the command; devices never get it. */
export const SERVICE_ORGANISATION = 'sefleet service';

const DAY_MS = 86_400_000;
const AUTHORITY_DAYS = 3650;
const SERVICE_DAYS = 397;

/**
 * Makes what is missing of the local PKI: `ca.pem` and `ca.key`, and a certificate for each of `names`, good
 * for server and client, on localhost. What exists is left alone, so that running twice changes nothing.
 */
export async function ensureLocalPki(folder: string, names: readonly string[]): Promise<void> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const now = Date.now();
  const authority = await ensure(folder, 'ca', () =>
    createRootAuthority(
      'sefleet local authority',
      new Date(now - DAY_MS),
      new Date(now + AUTHORITY_DAYS * DAY_MS),
    ),
  );
  for (const name of names) {
    await ensure(folder, name, () =>
      issueCertificate(authority, {
        commonName: name,
        organisation: SERVICE_ORGANISATION,
        serverAuth: true,
        clientAuth: true,
        subjectAlternativeNames: ['localhost', '127.0.0.1', '::1'],
        notBefore: new Date(now - DAY_MS),
        notAfter: new Date(now + SERVICE_DAYS * DAY_MS),
      }),
    );
  }
}

async function ensure(folder: string, name: string, make: () => Promise<Credential>): Promise<Credential> {
  const certificatePath = join(folder, `${name}.pem`);
  const keyPath = join(folder, `${name}.key`);
  if (existsSync(certificatePath) && existsSync(keyPath)) {
    return {
      certificatePem: readFileSync(certificatePath, 'utf8'),
      privateKeyPem: readFileSync(keyPath, 'utf8'),
    };
  }
  const credential = await make();
  writeWhole(keyPath, credential.privateKeyPem);
  chmodSync(keyPath, 0o600);
  writeWhole(certificatePath, credential.certificatePem);
  return credential;
}

/** A file is there whole or not at all, whenever the process ends. */
function writeWhole(path: string, text: string): void {
  const draft = `${path}.${process.pid}.draft`;
  writeFileSync(draft, text, { mode: 0o600 });
  renameSync(draft, path);
}
