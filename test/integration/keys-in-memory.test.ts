import assert from 'node:assert/strict';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createNodeRuntime } from '@sefleet/runtime/node';
import { scanFiles, scanMemory, type Canary } from '../../services/cli/src/rehearsal/canary-scan.ts';
import { openCustody } from '../../services/provisioning/src/custody/open-custody.ts';
import { partyId } from '../../services/provisioning/src/domain/party.ts';

const NO_PROC = existsSync('/proc/self/mem') ? false : 'this system shows no memory of processes';
const PARTY = 'northern-power';

/** Opens a custody and does what it is told, one message after the other, with what provisioning does it with. */
const PROGRAM = `
  const [custodyFile, runtimeFile, options] = JSON.parse(process.env.TOLD);
  const { openCustody } = await import(custodyFile);
  const { createNodeRuntime } = await import(runtimeFile);
  const custody = openCustody(options, options.folder, createNodeRuntime().clock);
  const vault = custody.vault(${JSON.stringify(PARTY)});
  const deeds = {
    record: async () => { globalThis.held = await vault.recordKey(1, 'm-1'); },
    destroy: async () => {
      await vault.changeState('record', 1, 'revoke', 'the supplier left');
      await vault.changeState('record', 1, 'destroy', 'the supplier left');
    },
  };
  process.on('message', async (deed) => { await deeds[deed](); process.send({ deed }); });
  process.send({ deed: 'ready' });
`;

/** A process with the vaults of all parties. */
async function custodian(t: TestContext, options: Record<string, unknown>) {
  const path = (file: string): string => fileURLToPath(new URL(`../../${file}`, import.meta.url));
  const told = [
    path('services/provisioning/src/custody/open-custody.ts'),
    path('packages/runtime/src/node/index.ts'),
    { keyDays: 0, vaultKey: '', pkcs11Module: '', pkcs11PinFile: '', ...options },
  ];
  const child = fork('-e', [PROGRAM], {
    execArgv: ['--input-type=module'],
    env: { ...process.env, TOLD: JSON.stringify(told) },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  t.after(() => child.kill('SIGKILL'));
  await answerOf(child);
  return child;
}

async function tell(child: ChildProcess, deed: string): Promise<void> {
  child.send(deed);
  await answerOf(child);
}

/** The next message of a process that has not ended. */
async function answerOf(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit').then(() => assert.fail('the custodian ended'));
  await Promise.race([once(child, 'message'), ended]);
}

function secret(name: string, value: Uint8Array): Canary {
  return { owner: PARTY, name, value, onCard: false };
}

/** What of these secrets is in the memory of a process, by name. */
function held(child: ChildProcess, secrets: readonly Canary[]): string[] {
  const { hits, bytes } = scanMemory({ name: 'custodian', pid: child.pid ?? 0 }, secrets);
  assert.ok(bytes > 1_000_000, 'the memory was read');
  return secrets.map(({ name }) => name).filter((name) => hits.some((hit) => hit.includes(`: ${name} of`)));
}

test(
  'of a key that was destroyed nothing is left in memory or in the vault',
  { skip: NO_PROC },
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'vaults-'));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const options = {
      custody: 'software',
      vaultKey: '',
      pkcs11Module: '',
      pkcs11PinFile: '',
      keyDays: 0,
    } as const;
    // The test opens the same vault to know what to search for: the searched process never gives the key away.
    const own = openCustody(options, folder, createNodeRuntime().clock);
    await own.vault(partyId(PARTY)).ensureMaster('record', 1);
    const secrets = [
      secret('the record master', Uint8Array.from(await own.vault(partyId(PARTY)).release('record', 1))),
    ];
    own.close();
    const child = await custodian(t, { ...options, folder });
    await tell(child, 'record');
    assert.deepEqual(held(child, secrets), ['the record master']);
    await tell(child, 'destroy');
    assert.deepEqual(held(child, secrets), []);
    assert.deepEqual(scanFiles(folder, secrets).hits, []);
  },
);
