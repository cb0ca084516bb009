import { encodeTelemetryRecord } from '@sefleet/cose';
import { aidBytes, decodeTlvs, encodeTlv, findTlv, requireTlv } from '@sefleet/globalplatform';
import type { Aid, CommandApdu } from '@sefleet/globalplatform';
import type { Reading } from '../applets/applet.ts';
import { HAND_OVER_TAG, MEASURING_COMMAND, MEASURING_TAG } from '../applets/measuring/measuring-protocol.ts';
import { AppletLink } from './applet-link.ts';
import type { LocalTransmit } from './applet-link.ts';

/** What a measuring applet tells everybody about itself. */
export interface RecordsStatus {
  /** The sequence number of the last record. */
  readonly sequence: number;
  /** True when no stakeholder takes records. */
  readonly closed: boolean;
  /** Undefined while the domain has no record account. */
  readonly stakeholder: string | undefined;
  readonly keyVersion: number | undefined;
  readonly endpoint: string | undefined;
  /** The sequence number of the first record for this stakeholder, 0 before it: a lower one is a replay. */
  readonly firstSequence: number;
}

/** The cut-over reading, sealed for both stakeholders. */
export interface CutOverRecords {
  readonly closing: Uint8Array;
  readonly opening: Uint8Array;
}

/**
 * The device's side of a measuring applet: metering, vehicle diagnostics or vital signs.
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
   * Seals a record for the applet's stakeholder; the card gives it the next sequence number.
   *
   * @returns A tagged COSE_Encrypt0.
   * @throws SefleetError `SE_APPLET_REFUSED`: with `sw` 6985 when a register runs backwards or no stakeholder
   *   takes records.
   */
  seal(reading: Reading): Uint8Array {
    return this.#command(MEASURING_COMMAND.SEAL, encodeTelemetryRecord({ ...reading, sequence: 0 }));
  }

  /**
   * Seals the cut-over reading twice, by one command and in one transaction: the last record for the present
   * stakeholder, and the first for the next. Asked again with the same, it gives the same records, until the
   * next record is sealed.
   *
   * @param order What the new stakeholder staged, from `cutOverOrder`.
   * @param reading The reading of the instant, with exactly the time that was staged.
   * @throws SefleetError `SE_APPLET_REFUSED`: with `sw` 6982 for another activation secret, 6985 when nothing
   *   is staged for this applet and this time. Nothing has changed then.
   */
  handOver(order: Uint8Array, reading: Reading): CutOverRecords {
    const record = encodeTelemetryRecord({ ...reading, sequence: 0 });
    const data = Buffer.concat([order, encodeTlv(HAND_OVER_TAG.RECORD, record)]);
    const answer = decodeTlvs(this.#command(MEASURING_COMMAND.HAND_OVER, data));
    return {
      closing: requireTlv(answer, HAND_OVER_TAG.CLOSING),
      opening: requireTlv(answer, HAND_OVER_TAG.OPENING),
    };
  }

  /**
   * Reports trouble codes of the vehicle, two bytes each (ISO 15031-6).
   *
   * @throws SefleetError `SE_APPLET_REFUSED`: with `sw` 6D00 when the applet is no vehicle diagnostics.
   */
  reportTroubleCodes(codes: readonly number[]): void {
    const data = Uint8Array.from(codes.flatMap((code) => [code >> 8, code & 0xff]));
    this.#command(MEASURING_COMMAND.REPORT, data);
  }

  /** What the applet tells about itself. */
  status(): RecordsStatus {
    return readRecordsStatus(this.#link.command(recordsStatusCommand()));
  }

  /** Gives the logical channel back. */
  close(): void {
    this.#link.close();
  }

  #command(ins: number, data: Uint8Array): Uint8Array {
    return this.#link.command({ cla: 0x80, ins, p1: 0, p2: 0, data, le: 0x100 });
  }
}

/** What the device hands to its card at the instant: which domain takes over, and its activation secret. */
export function cutOverOrder(successor: Aid, activation: Uint8Array): Uint8Array {
  return Buffer.concat([
    encodeTlv(HAND_OVER_TAG.SUCCESSOR, aidBytes(successor)),
    encodeTlv(HAND_OVER_TAG.ACTIVATION, activation),
  ]);
}

/** Asks a measuring applet what it tells everybody. */
export function recordsStatusCommand(): CommandApdu {
  return { cla: 0x80, ins: MEASURING_COMMAND.STATUS, p1: 0, p2: 0, data: new Uint8Array(0), le: 0x100 };
}

/** Reads the answer to {@link recordsStatusCommand}. @throws SefleetError `GP_TLV_MALFORMED` */
export function readRecordsStatus(data: Uint8Array): RecordsStatus {
  const objects = decodeTlvs(data);
  const number = (tag: number): number | undefined =>
    findTlv(objects, tag)?.reduce((sum, byte) => sum * 256 + byte, 0);
  const text = (tag: number): string | undefined => {
    const value = findTlv(objects, tag);
    return value === undefined ? undefined : new TextDecoder().decode(value);
  };
  return {
    sequence: number(MEASURING_TAG.SEQUENCE) ?? 0,
    closed: number(MEASURING_TAG.CLOSED) === 1,
    stakeholder: text(MEASURING_TAG.STAKEHOLDER),
    keyVersion: number(MEASURING_TAG.KEY_VERSION),
    endpoint: text(MEASURING_TAG.ENDPOINT),
    firstSequence: number(MEASURING_TAG.FIRST_SEQUENCE) ?? 0,
  };
}
