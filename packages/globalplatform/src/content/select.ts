import type { CommandApdu } from '../apdu/command-apdu.ts';
import { decodeOnlyTlv, decodeTlvs, encodeTlv, findTlv } from '../tlv/ber-tlv.ts';
import { INS, LE_ANY } from './command.ts';

/** What SELECT answers: the file control information of GPCS 2.3.1 §11.9.3.1. */
export interface FileControlInformation {
  readonly aid: Uint8Array;
  /** Tag 73: Security Domain management data, as in card recognition data. */
  readonly managementData?: Uint8Array;
  /** Tag 9F6E: life cycle data. */
  readonly lifeCycleData?: Uint8Array;
  /** Tag 9F65: the longest command data field. */
  readonly maxCommandData?: number;
}

/**
 * SELECT by AID, full or partial; `next` takes the next one that matches. An empty AID selects the default.
 */
export function selectCommand(
  applicationAid: Uint8Array,
  options: { readonly next?: boolean } = {},
): CommandApdu {
  const p2 = options.next === true ? 0x02 : 0x00;
  return { cla: 0x00, ins: INS.SELECT, p1: 0x04, p2, data: applicationAid, le: LE_ANY };
}

/** MANAGE CHANNEL: opens the next free channel, or closes `close`. */
export function manageChannelCommand(close?: number): CommandApdu {
  const head = { cla: 0x00, ins: INS.MANAGE_CHANNEL, data: new Uint8Array(0) };
  return close === undefined ? { ...head, p1: 0x00, p2: 0x00, le: 1 } : { ...head, p1: 0x80, p2: close };
}

/** The response data of SELECT. */
export function encodeFileControlInformation(fci: FileControlInformation): Uint8Array {
  const proprietary: Uint8Array[] = [];
  if (fci.managementData !== undefined) proprietary.push(encodeTlv(0x73, fci.managementData));
  if (fci.lifeCycleData !== undefined) proprietary.push(encodeTlv(0x9f6e, fci.lifeCycleData));
  if (fci.maxCommandData !== undefined) proprietary.push(encodeTlv(0x9f65, lengthBytes(fci.maxCommandData)));
  const body = proprietary.length === 0 ? [] : [encodeTlv(0xa5, ...proprietary)];
  return encodeTlv(0x6f, encodeTlv(0x84, fci.aid), ...body);
}

/** Reads the response data of SELECT; `GP_TLV_UNEXPECTED` when it is no file control information. */
export function decodeFileControlInformation(data: Uint8Array): FileControlInformation {
  const objects = decodeTlvs(decodeOnlyTlv(data, 0x6f));
  const body = findTlv(objects, 0xa5);
  const proprietary = body === undefined ? [] : decodeTlvs(body);
  const managementData = findTlv(proprietary, 0x73);
  const lifeCycleData = findTlv(proprietary, 0x9f6e);
  const max = findTlv(proprietary, 0x9f65);
  return {
    aid: findTlv(objects, 0x84) ?? new Uint8Array(0),
    ...(managementData === undefined ? {} : { managementData }),
    ...(lifeCycleData === undefined ? {} : { lifeCycleData }),
    ...(max === undefined ? {} : { maxCommandData: max.reduce((sum, byte) => sum * 256 + byte, 0) }),
  };
}

function lengthBytes(value: number): Uint8Array {
  return value > 0xff ? Uint8Array.of(value >> 8, value) : Uint8Array.of(value);
}
