import { readFileSync } from 'node:fs';
import { LockTable, createTableAccess, serveRacsConnection, type AccessTables } from '@sefleet/racs';
import type { StreamListener } from '@sefleet/runtime';
import { listenStream } from '@sefleet/runtime/node';
import type { TlsFiles } from '@sefleet/service';
import { simulationError } from '../errors.ts';
import { ANSWER_TO_RESET, type CardDirectory } from './card-directory.ts';
import type { Visitors } from './visitors.ts';

/** Everybody of our authority may use every card; the tables file narrows it. */
const OPEN_TO_THE_AUTHORITY: AccessTables = { users: { '*': ['*'] } };

/**
 * Serves every card of the fleet by RACS over mutual TLS: the SEID is the device's endpoint name, the user is
 * the common name of the client's certificate.
 *
 * @throws SefleetError `SIM_RACS_LISTEN`, `SIM_RACS_TABLES`
 */
export async function startRacsDoor(options: {
  readonly address: string;
  readonly port: number;
  /** JSON file with {@link AccessTables}; empty: open to every certificate of the authority. */
  readonly tablesFile: string;
  readonly tls: TlsFiles;
  readonly cards: CardDirectory;
  readonly visitors: Visitors;
}): Promise<StreamListener> {
  const { cards, visitors, tls } = options;
  const locks = new LockTable();
  const context = {
    access: createTableAccess(
      options.tablesFile === '' ? OPEN_TO_THE_AUTHORITY : readTables(options.tablesFile),
    ),
    locks,
    directory: {
      seids: () => cards.endpoints(),
      find: (seid: string) => servedCard(seid, cards, visitors, locks),
    },
  };
  try {
    return await listenStream(
      {
        address: options.address,
        port: options.port,
        tls: { authority: tls.authority, certificate: tls.certificate, privateKey: tls.privateKey },
      },
      (connection) => {
        const { identity } = connection.peer;
        if (identity.kind === 'x509') serveRacsConnection(connection, context, identity.commonName);
        else connection.close();
      },
    );
  } catch (cause) {
    throw simulationError('SIM_RACS_LISTEN', `RACS cannot listen on ${options.address}:${options.port}`, {
      cause,
      hint: 'Choose another port: SEFLEET_RACS_PORT=<port>, or end what holds this one.',
    });
  }
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

function readTables(file: string): AccessTables {
  try {
    const tables: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (isTables(tables)) return tables;
    throw new TypeError('"users" must map common names to lists of SEIDs');
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw simulationError('SIM_RACS_TABLES', `${file} is no table of RACS users: ${reason}`, {
      cause,
      hint: 'Example: {"users": {"alice": ["meter-1"], "*": []}}',
    });
  }
}

function isTables(value: unknown): value is AccessTables {
  if (typeof value !== 'object' || value === null || !('users' in value)) return false;
  const { users } = value;
  return (
    typeof users === 'object' && users !== null && Object.values(users).every((seids) => Array.isArray(seids))
  );
}
