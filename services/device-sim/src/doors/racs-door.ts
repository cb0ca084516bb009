import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { EventLog } from '@sefleet/observability';
import {
  createTableAccess,
  LockTable,
  serveRacsConnection,
  type AccessTables,
  type RacsAccess,
} from '@sefleet/racs';
import type { Runtime, StreamConnection, StreamListener } from '@sefleet/runtime';
import { listenStream } from '@sefleet/runtime/node';
import { OWN_CALLERS, SERVICE_ORGANISATION, type TlsFiles } from '@sefleet/service';
import { simulationError } from '../errors.ts';
import { EVENTS } from '../events.ts';
import { ANSWER_TO_RESET, type CardDirectory } from './card-directory.ts';
import type { Visitors } from './visitors.ts';

/** Our services and the command may use every card, a device its own, and parties what a tables file says. */
const WITHOUT_TABLES: RacsAccess = {
  mayUse: (commonName, seid) => OWN_CALLERS.has(commonName) || commonName === seid,
  maySelect: () => true,
  hasApplicationTable: () => false,
  mayTransmit: () => true,
};
/** People and tools; each takes a descriptor of those that the fleet needs. */
const MAX_CONNECTIONS = 1024;

/** What the door is made from. */
export interface RacsDoorOptions {
  readonly address: string;
  readonly port: number;
  /** JSON file with {@link AccessTables}; empty: {@link WITHOUT_TABLES}. */
  readonly tablesFile: string;
  readonly tls: TlsFiles;
  readonly cards: CardDirectory;
  readonly visitors: Visitors;
  readonly runtime: Pick<Runtime, 'clock' | 'timers'>;
  readonly silenceMs: number;
  readonly log: EventLog;
}

/**
 * Serves every card of the fleet by RACS over mutual TLS: the SEID is the device's endpoint name, the user is
 * the common name of the client's certificate.
 *
 * @throws SefleetError `SIM_RACS_LISTEN`, `SIM_RACS_TABLES`
 */
export async function startRacsDoor(options: RacsDoorOptions): Promise<StreamListener> {
  const { cards, visitors, tls } = options;
  const locks = new LockTable();
  const context = {
    access: options.tablesFile === '' ? WITHOUT_TABLES : readTables(options.tablesFile),
    locks,
    directory: {
      seids: () => cards.endpoints(),
      find: (seid: string) => servedCard(seid, cards, visitors, locks),
    },
  };
  const userOf = createUserCheck(options);
  const { log, runtime, silenceMs } = options;
  const ended = (summary: object): void => log.emit(EVENTS.racsSessionEnded, { ...summary });
  try {
    return await listenStream(
      {
        address: options.address,
        port: options.port,
        tls: { authority: tls.authority, certificate: tls.certificate, privateKey: tls.privateKey },
        maxConnections: MAX_CONNECTIONS,
      },
      (connection) => {
        const user = userOf(connection);
        if (user === undefined) connection.close();
        else serveRacsConnection(connection, context, user, { runtime, silenceMs, ended });
      },
    );
  } catch (cause) {
    throw simulationError('SIM_RACS_LISTEN', `RACS cannot listen on ${options.address}:${options.port}`, {
      cause,
      hint: 'Choose another port: SEFLEET_RACS_PORT=<port>, or end what holds this one.',
    });
  }
}

/**
 * The user of a connection, by its certificate. Devices have certificates below the same authority, with
 * names of their own choice: the name of a service counts on a certificate of a service that the authority
 * itself signed.
 */
function createUserCheck({
  tls,
  log,
}: Pick<RacsDoorOptions, 'tls' | 'log'>): (connection: StreamConnection) => string | undefined {
  const authority = new X509Certificate(tls.authority);
  return ({ peer: { identity } }) => {
    if (identity.kind !== 'x509') return undefined;
    const { commonName, chain } = identity;
    if (!OWN_CALLERS.has(commonName)) return commonName;
    const certificate = new X509Certificate(chain[0] ?? new Uint8Array(0));
    const isService =
      new RegExp(`^O=${SERVICE_ORGANISATION}$`, 'mu').test(certificate.subject) &&
      certificate.checkIssued(authority) &&
      certificate.verify(authority.publicKey);
    if (isService) return commonName;
    log.emit(EVENTS.racsClientRefused, { commonName });
    return undefined;
  };
}

/** A card as RACS drives it; a visitor of another door keeps it out. */
function servedCard(
  seid: string,
  cards: CardDirectory,
  visitors: Visitors,
  visitor: object,
): ReturnType<Parameters<typeof serveRacsConnection>[1]['directory']['find']> {
  const card = cards.find(seid);
  if (card === undefined) return undefined;
  return {
    powerOn: () => {
      visitors.enter(seid, visitor);
      card.reset();
      return ANSWER_TO_RESET;
    },
    reset: () => {
      card.reset();
      return ANSWER_TO_RESET;
    },
    transmit: (apdu) => card.transmit(apdu),
    powerOff: () => {
      card.reset();
      visitors.leave(seid, visitor);
    },
  };
}

function readTables(file: string): RacsAccess {
  try {
    const tables: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return createTableAccess(checkedTables(tables));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw simulationError('SIM_RACS_TABLES', `${file} is no table of RACS users: ${reason}`, {
      cause,
      hint: 'Example: {"users": {"alice": ["meter-1"], "*": []}}',
    });
  }
}

const TABLES = ['users', 'applications', 'denied'];
const HEX = /^(?:[0-9a-f]{2})*$/iu;

/** A table that is spelt wrongly would open what it should close: everything in it has to be known. */
function checkedTables(value: unknown): AccessTables {
  if (!isRecord(value)) throw new TypeError('it is no JSON object');
  const unknown = Object.keys(value).find((key) => !TABLES.includes(key));
  if (unknown !== undefined) throw new TypeError(`"${unknown}" is none of ${TABLES.join(', ')}`);
  const { users, applications = {}, denied = [] } = value;
  if (!isRecord(users) || !Object.values(users).every(isTexts))
    throw new TypeError('"users" must map common names to lists of SEIDs');
  if (!isRecord(applications) || !Object.values(applications).every(isApplicationTable))
    throw new TypeError('"applications" must map SEIDs to AIDs (hexadecimal), and those to common names');
  if (!Array.isArray(denied) || !denied.every(isRule))
    throw new TypeError('"denied" must list rules of a mask and a prefix of the same length (hexadecimal)');
  // Every part of it was looked at.
  return value as unknown as AccessTables;
}

function isApplicationTable(table: unknown): boolean {
  return isRecord(table) && Object.entries(table).every(([aid, names]) => HEX.test(aid) && isTexts(names));
}

function isRule(rule: unknown): boolean {
  if (!isRecord(rule)) return false;
  const { mask, prefix, seid } = rule;
  const isHex = (text: unknown): text is string => typeof text === 'string' && HEX.test(text);
  const named = seid === undefined || typeof seid === 'string';
  return isHex(mask) && isHex(prefix) && mask.length === prefix.length && mask !== '' && named;
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
