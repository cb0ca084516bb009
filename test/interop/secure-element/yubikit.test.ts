/**
 * Yubico's yubikit (Python, 5.5 or later) as the host of our card: SCP03, PUT KEY, SCP11 with X.509 chains.
 * Neither side has code of the other. `SEFLEET_YUBIKIT_PYTHON` names a Python that has `yubikey-manager`;
 * `python3` otherwise.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fromHex, toHex } from '@sefleet/bytes';
import { createNodeRuntime } from '@sefleet/runtime/node';
import { createCard, STANDARD_PROFILE } from '@sefleet/secure-element';
import type { SecureElement } from '@sefleet/secure-element';

const PYTHON = process.env['SEFLEET_YUBIKIT_PYTHON'] ?? 'python3';
const probe = spawnSync(PYTHON, ['-c', 'import yubikit.core.smartcard.scp']);
const skip = probe.status === 0 ? false : `${PYTHON} has no yubikit with SCP (pip: yubikey-manager >= 5.5)`;
const script = new URL('./yubikit_peer.py', import.meta.url).pathname;
const { rng } = createNodeRuntime();

function newCard(): SecureElement {
  const key = (octet: number): Uint8Array => new Uint8Array(16).fill(octet);
  const personalisation = {
    diversificationData: rng.bytes(10),
    issuerIdentification: fromHex('49440123'),
    cardImageNumber: rng.bytes(8),
    issuerKeys: { version: 0x30, enc: key(0x41), mac: key(0x42), dek: key(0x43) },
  };
  return createCard(STANDARD_PROFILE, personalisation, { rng });
}

/** Plays the card for the peer until it ends; what it said on standard error when it failed. */
async function play(scenario: string): Promise<{ readonly done: boolean; readonly said: string }> {
  const card = newCard();
  const peer = spawn(PYTHON, [script, scenario], { timeout: 30_000 });
  let said = '';
  let done = false;
  peer.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  for await (const line of createInterface({ input: peer.stdout })) {
    if (line === 'done') done = true;
    else peer.stdin.write(`${toHex(card.transmit(fromHex(line)))}\n`);
  }
  return { done, said };
}

for (const scenario of ['scp03', 'scp11a', 'scp11b', 'scp11c']) {
  test(`yubikit: ${scenario} against our card`, { skip }, async () => {
    const { done, said } = await play(scenario);
    assert.ok(done, said);
  });
}
