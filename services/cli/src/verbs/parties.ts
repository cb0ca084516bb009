import { generateKeyPairSync } from 'node:crypto';
import { join, resolve } from 'node:path';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { usageError, type Verb, type VerbArguments } from '../command-line.ts';
import { writeResult } from '../result-file.ts';
import { withBackend } from './fleet.ts';
import { dateOf, show } from './keys.ts';

export const partyList: Verb = {
  name: 'party list',
  summary: 'who takes part, and what each may be',
  options: { json: { type: 'boolean', doc: 'as JSON' } },
  examples: ['sefleet party list', 'sefleet party list --json'],
  run: (parsed) =>
    withBackend(async (backend) => {
      const { parties } = await backend.parties.listParties({});
      const rows = parties.map(({ name, title, roles }) => ({ name, title, roles: roles.join(' ') }));
      show(parsed, rows, ['name', 'title', 'roles']);
    }),
};

export const partyAdd: Verb = {
  name: 'party add',
  summary: 'admit a party: it gets a vault of its own and may be given roles by contract',
  positionals: '<name>',
  options: {
    role: { type: 'string', value: 'roles', doc: 'what it may be, commas between' },
    title: { type: 'string', value: 'text', doc: 'its name for people' },
    json: { type: 'boolean', doc: 'as JSON' },
  },
  examples: ['sefleet party add moonlight-power --role service-provider,application-provider'],
  run: (parsed) =>
    withBackend(async (backend) => {
      const roles = (parsed.text('role') ?? '').split(',').filter((role) => role !== '');
      const title = parsed.text('title') ?? '';
      const { party } = await backend.parties.addParty({ name: nameOf(parsed), title, roles });
      const row = {
        name: party?.name ?? '',
        number: party?.number ?? 0,
        roles: party?.roles.join(' ') ?? '',
      };
      show(parsed, [row], ['name', 'number', 'roles']);
    }),
};

export const partyCertificate: Verb = {
  name: 'party certificate',
  summary: 'make a key and a certificate with which a party calls the services',
  positionals: '<name>',
  options: {
    out: { type: 'string', value: 'folder', default: '.', doc: 'gets <name>.key, <name>.pem, ca.pem' },
  },
  examples: ['sefleet party certificate northern-power --out ./northern-power'],
  run: (parsed) =>
    withBackend(async (backend) => {
      const party = nameOf(parsed);
      const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const spki = publicKey.export({ type: 'spki', format: 'der' });
      const made = await backend.parties.issueCertificate({ party, publicKey: spki });
      const folder = resolve(parsed.text('out') ?? '.');
      const key = privateKey.export({ type: 'pkcs8', format: 'pem' });
      writeResult(join(folder, `${party}.key`), key, { isSecret: true, withFolder: true });
      writeResult(join(folder, `${party}.pem`), made.certificatePem);
      writeResult(join(folder, 'ca.pem'), made.authorityPem);
      console.log(`${join(folder, party)}.pem, serial number ${made.serialNumber}`);
    }),
};

export const partyRoles: Verb = {
  name: 'party roles',
  summary: 'who holds which role for a device now, by what, and what follows from it',
  positionals: '<endpoint>',
  options: { json: { type: 'boolean', doc: 'as JSON' } },
  examples: ['sefleet party roles urn:dev:sefleet:meter-000001'],
  run: (parsed) =>
    withBackend(async (backend) => {
      const { roles } = await backend.parties.getDeviceRoles({ endpoint: nameOf(parsed) });
      const rows = roles.map(({ role, party, by, privileges }) => {
        return { role, party, by, privileges: privileges.join(' ') };
      });
      show(parsed, rows, ['role', 'party', 'by', 'privileges']);
    }),
};

export const partyContract: Verb = {
  name: 'party contract',
  summary: 'give a party a role for one device, from now on',
  positionals: '<contract id>',
  options: {
    party: { type: 'string', value: 'party', doc: 'who' },
    role: { type: 'string', value: 'role', doc: 'as what' },
    endpoint: { type: 'string', value: 'endpoint', doc: 'for which device' },
    days: { type: 'string', value: 'n', default: '0', doc: 'for how long; 0 until it is ended' },
    reference: { type: 'string', value: 'text', default: '', doc: 'what it rests on' },
    end: { type: 'string', value: 'reason', doc: 'end the contract instead' },
  },
  examples: [
    'sefleet party contract policy-17 --party beacon-insurance --role service-provider --endpoint urn:dev:sefleet:obu-000001 --days 365',
    'sefleet party contract policy-17 --end "car sold"',
  ],
  run: (parsed) =>
    withBackend(async (backend) => {
      const contractId = nameOf(parsed);
      const reason = parsed.text('end');
      if (reason !== undefined) {
        await backend.parties.endContract({ contractId, reason });
        console.log(`${contractId} has ended`);
        return;
      }
      const days = parsed.integer('days', 0, 36_500);
      const now = new Date();
      const contract = {
        contractId,
        party: parsed.text('party') ?? '',
        role: parsed.text('role') ?? '',
        endpoint: parsed.text('endpoint') ?? '',
        validFrom: timestampFromDate(now),
        ...(days === 0 ? {} : { validUntil: timestampFromDate(new Date(now.getTime() + days * DAY_MS)) }),
        reference: parsed.text('reference') ?? '',
      };
      await backend.parties.addContract({ contract });
      console.log(`${contract.party} is ${contract.role} for ${contract.endpoint}`);
    }),
};

export const partyRefusals: Verb = {
  name: 'party refusals',
  summary: 'calls that a certificate did not allow, the newest first',
  options: {
    limit: { type: 'string', value: 'n', default: '50', doc: 'how many at the most' },
    json: { type: 'boolean', doc: 'as JSON' },
  },
  examples: ['sefleet party refusals', 'sefleet party refusals --limit 1000 --json'],
  run: (parsed) =>
    withBackend(async (backend) => {
      const limit = parsed.integer('limit', 1, 1000);
      const { refusals } = await backend.parties.listRefusals({ limit });
      const rows = refusals.map(({ at, caller, operation, subject }) => {
        return { at: dateOf(at), caller, operation, subject };
      });
      show(parsed, rows, ['at', 'caller', 'operation', 'subject']);
    }),
};

const DAY_MS = 86_400_000;

function nameOf({ positionals }: VerbArguments): string {
  const [name, ...more] = positionals;
  if (name !== undefined && more.length === 0) return name;
  throw usageError('one name is needed', '`sefleet party list` tells who there is.');
}
