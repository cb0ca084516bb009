import { createPrivateKey } from 'node:crypto';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSoftwarePsk, createSoftwareSigningKey } from '@sefleet/dtls';

export const PSK_IDENTITY = 'meter-1';
export const PSK_HEX = '00112233445566778899aabbccddeeff';
export const PSK = createSoftwarePsk(PSK_IDENTITY, Buffer.from(PSK_HEX, 'hex'));

/** Key files as programs want them, made once a test file by OpenSSL. */
export function makeCredentials() {
  const folder = mkdtempSync(join(tmpdir(), 'dtls-interop-'));
  const path = (name: string): string => join(folder, name);
  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, { stdio: 'ignore', cwd: folder });
  };
  openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', 'ca.key');
  openssl('req', '-x509', '-new', '-key', 'ca.key', '-subj', '/CN=Test CA', '-days', '2', '-out', 'ca.pem');
  for (const name of ['server', 'client']) {
    openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', `${name}.ec`);
    openssl('pkcs8', '-topk8', '-nocrypt', '-in', `${name}.ec`, '-out', `${name}.key`);
    openssl('ec', '-in', `${name}.key`, '-pubout', '-out', `${name}.pub`);
    writeFileSync(
      path(`${name}.ext`),
      'subjectAltName=DNS:localhost,IP:127.0.0.1\nkeyUsage=critical,digitalSignature\n',
    );
    openssl('req', '-new', '-key', `${name}.key`, '-subj', `/CN=${name}`, '-out', `${name}.csr`);
    const request = `x509 -req -in ${name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2`;
    openssl(...request.split(' '), '-extfile', `${name}.ext`, '-out', `${name}.pem`);
  }
  writeFileSync(path('psk.txt'), `${PSK_IDENTITY}:${PSK_HEX}\n`);
  const der = (name: string): Uint8Array => {
    const base64 = readFileSync(path(name), 'utf8').replaceAll(/-----[^-]+-----|\s/g, '');
    return Buffer.from(base64, 'base64');
  };
  const signingKey = (name: string) =>
    createSoftwareSigningKey({
      privateKey: createPrivateKey(readFileSync(path(`${name}.key`))),
      certificateChain: [der(`${name}.pem`)],
    });
  return { folder, path, der, signingKey };
}

export type Credentials = ReturnType<typeof makeCredentials>;
