import { encodeTelemetryRecord } from '@sefleet/cose';
import type { TelemetryRecord } from '@sefleet/cose';
import { decodeTlvs, findTlv } from '@sefleet/globalplatform';
import type { Aid } from '@sefleet/globalplatform';
import { RECORDS_COMMAND, RECORDS_TAG } from '../applets/records/records-protocol.ts';
import { AppletLink } from './applet-link.ts';
import type { LocalTransmit } from './applet-link.ts';

/** What a records applet tells about itself. */
export interface RecordsStatus {
  /** The sequence number of the last record. */
  readonly sequence: number;
  /** True after the sealed cut-over reading. */
  readonly closed: boolean;
  /** Undefined until the stakeholder has personalised the applet. */
  readonly stakeholder: string | undefined;
  readonly keyVersion: number | undefined;
  readonly endpoint: string | undefined;
}

/**
 * The device's side of a records applet.
 *
 * @example
 * const records = new RecordsClient(card.transmit, application);
 * const sealed = records.seal({ timestampMs, values: [[1, 4711]] });
 */
export class RecordsClient {
  readonly #link: AppletLink;

  constructor(transmit: LocalTransmit, application: Aid) {
    this.#link = new AppletLink(transmit, application);
  }

  /**
   * Seals a record for the applet's stakeholder; the applet gives it the next sequence number.
   *
   * @returns A tagged COSE_Encrypt0.
   * @throws SefleetError `SE_APPLET_REFUSED`: with `sw` 6985 when a register runs backwards, the applet is
   * not
   *   personalised or closed.
   */
  seal(record: Omit<TelemetryRecord, 'sequence'>): Uint8Array {
    return this.#seal(record, 0);
  }

  /** Seals the cut-over reading: the last record that this applet makes for its stakeholder. */
  sealClosing(record: Omit<TelemetryRecord, 'sequence'>): Uint8Array {
    return this.#seal(record, RECORDS_COMMAND.CLOSING);
  }

  /** What the applet tells about itself. */
  status(): RecordsStatus {
    const objects = decodeTlvs(this.#command(RECORDS_COMMAND.STATUS, 0, new Uint8Array(0)));
    const number = (tag: number): number | undefined =>
      findTlv(objects, tag)?.reduce((sum, byte) => sum * 256 + byte, 0);
    const text = (tag: number): string | undefined => {
      const value = findTlv(objects, tag);
      return value === undefined ? undefined : new TextDecoder().decode(value);
    };
    return {
      sequence: number(RECORDS_TAG.SEQUENCE) ?? 0,
      closed: number(RECORDS_TAG.CLOSED) === 1,
      stakeholder: text(RECORDS_TAG.STAKEHOLDER),
      keyVersion: number(RECORDS_TAG.KEY_VERSION),
      endpoint: text(RECORDS_TAG.ENDPOINT),
    };
  }

  /** Gives the logical channel back. */
  close(): void {
    this.#link.close();
  }

  #seal(record: Omit<TelemetryRecord, 'sequence'>, p1: number): Uint8Array {
    return this.#command(RECORDS_COMMAND.SEAL, p1, encodeTelemetryRecord({ ...record, sequence: 0 }));
  }

  #command(ins: number, p1: number, data: Uint8Array): Uint8Array {
    return this.#link.command({ cla: 0x80, ins, p1, p2: 0, data, le: 0x100 });
  }
}
