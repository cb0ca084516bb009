import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeSealedRecord, openTelemetryRecord } from '@sefleet/cose';
import { isSefleetError } from '@sefleet/errors';
import { aidBytes, installForExtraditionCommand, withToken } from '@sefleet/globalplatform';
import { exportCard, importCard } from '../../card/create-card.ts';
import type { SecureElement } from '../../card/secure-element.ts';
import { recordAccountCommands } from '../../clients/record-account.ts';
import { cutOverOrder, RecordsClient } from '../../clients/records-client.ts';
import { open, seededRng, send, sendAll } from '../../testing/card-fixture.ts';
import {
  METER,
  METER_APPLET,
  meterBeforeCutOver,
  NEW_SUPPLIER,
  OLD_SUPPLIER,
  PARTIES,
  stagedAccount,
  TSM,
} from '../../testing/switch-fixture.ts';

const SUPPLIERS = {
  old: { domain: OLD_SUPPLIER, name: 'northern-power', ...PARTIES.oldSupplier },
  fresh: { domain: NEW_SUPPLIER, name: 'southern-power', ...PARTIES.newSupplier },
} as const;
type Who = keyof typeof SUPPLIERS;
const ACTIVATION = new Uint8Array(16).fill(1);

const who = fc.constantFrom<Who>('old', 'fresh');
const steps = fc.array(
  fc.oneof(
    fc.record({ step: fc.constantFrom('seal', 'seal', 'export', 'cut'), who }),
    fc.record({ step: fc.constantFrom('stage', 'hand-over', 'hand-over', 'extradite', 'take-account'), who }),
  ),
  { minLength: 10, maxLength: 30, size: 'max' },
);

/** A meter with everything that it ever sealed, in order. */
class Meter {
  card: SecureElement;
  readonly records: Uint8Array[] = [];
  #instant = 2000;
  #wh = 0;
  #cutting = false;
  readonly #ports = {
    onCommit: (): void => {
      if (this.#cutting) throw new RangeError('the power is gone');
    },
  };

  private constructor(card: SecureElement) {
    this.card = card;
  }

  static async create(): Promise<Meter> {
    const card = await meterBeforeCutOver({}, stagedAccount({ activation: ACTIVATION }));
    return new Meter(card);
  }

  async run(step: string, who: Who): Promise<void> {
    const client = new RecordsClient(this.card.transmit, METER_APPLET);
    const order = cutOverOrder(SUPPLIERS[who].domain, ACTIVATION);
    switch (step) {
      case 'seal':
        return this.#try(() => [client.seal(this.#reading(this.#instant))]);
      case 'hand-over':
        return this.#try(() => {
          const { closing, opening } = client.handOver(order, this.#reading(this.#instant));
          return [closing, opening];
        });
      case 'cut':
        this.card = importCard(exportCard(this.card), { rng: seededRng('r'), ...this.#ports });
        this.#cutting = true;
        assert.throws(() => this.card.transmit(Uint8Array.of(0x80, 0x50, 0, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8)));
        this.#cutting = false;
        return;
      case 'export':
        this.card = importCard(exportCard(this.card), { rng: seededRng('r'), ...this.#ports });
        return;
      case 'stage':
        this.#instant += 1000;
        return this.#store(who, true);
      case 'take-account':
        return this.#store(who, false);
      default:
        return this.#extradite(who);
    }
  }

  async #store(who: Who, granted: boolean): Promise<void> {
    const { domain, keys, name: stakeholder, recordKey } = SUPPLIERS[who];
    const session = await open(this.card, domain, keys);
    const grant = { application: METER_APPLET, instantMs: this.#instant, activation: ACTIVATION };
    const account = { stakeholder, keyVersion: 1, endpoint: METER, recordKey };
    await sendAll(session, recordAccountCommands(session, { ...account, ...(granted ? { grant } : {}) }));
    this.card.reset();
  }

  async #extradite(who: Who): Promise<void> {
    const link = await open(this.card, TSM, PARTIES.tsm.keys);
    const move = installForExtraditionCommand(aidBytes(SUPPLIERS[who].domain), aidBytes(METER_APPLET));
    await send(link, withToken(move, PARTIES.issuer.tokenKey));
    this.card.reset();
  }

  #reading(timestampMs: number) {
    return { timestampMs, values: [[1, this.#wh++] as const] };
  }

  #try(make: () => readonly Uint8Array[]): void {
    const before = exportCard(this.card);
    try {
      this.records.push(...make());
    } catch (error) {
      if (!isSefleetError(error, 'SE_APPLET_REFUSED')) throw error;
      assert.deepEqual(exportCard(this.card), before, 'a refusal leaves nothing behind');
    }
    this.card.reset();
  }
}

test('whatever suppliers and power cuts do: numbers never repeat, and each record opens for one supplier', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (sequence) => {
      const meter = await Meter.create();
      for (const { step, who: party } of sequence) await meter.run(step, party);
      if (process.env['DBG'])
        console.log(
          'openings',
          meter.records.length,
          new Set(meter.records.map((r) => decodeSealedRecord(r).stakeholder)).size,
        );
      let last = 0;
      for (const bytes of meter.records) {
        const sealed = decodeSealedRecord(bytes);
        assert.ok(sealed.sequence > last, `${sealed.sequence} after ${last}`);
        last = sealed.sequence;
        for (const { name, recordKey } of Object.values(SUPPLIERS)) {
          const opens = (): unknown => openTelemetryRecord(sealed, recordKey, METER);
          if (name === sealed.stakeholder) opens();
          else assert.throws(opens, { code: 'COSE_AUTHENTICATION_FAILED' });
        }
      }
    }),
    { numRuns: 40 },
  );
});
