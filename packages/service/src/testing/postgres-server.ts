import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** A PostgreSQL for tests. */
export interface TestPostgres {
  /** `postgres://...`; every test takes schemas of its own in it. */
  readonly url: string;
  stop(): Promise<void>;
}

const DEBIAN = '/usr/lib/postgresql';
/** PostgreSQL does not run as root: there it gets the user that owns nothing. */
const NOBODY = 65_534;
const START_TRIES = 150;

/** Why there is no PostgreSQL here; false when tests can have one. */
export const SKIP_WITHOUT_POSTGRES: string | false =
  process.env['DATABASE_URL'] !== undefined || programs() !== undefined
    ? false
    : 'PostgreSQL is not installed (no initdb) and DATABASE_URL is not set';

/**
 * The PostgreSQL of DATABASE_URL, or one that is started now: an unprivileged process in a temporary folder,
 * reached through a socket there.
 */
export async function startPostgres(): Promise<TestPostgres> {
  const given = process.env['DATABASE_URL'];
  if (given !== undefined) return { url: given, stop: async () => undefined };
  const bin = programs() ?? '';
  const folder = mkdtempSync(join(tmpdir(), 'pg-'));
  const data = join(folder, 'data');
  const user = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  if (user.uid !== undefined) chownSync(folder, user.uid, user.gid);
  chmodSync(folder, 0o700);
  const options = { ...user, cwd: folder, encoding: 'utf8' as const };
  const made = spawnSync(
    join(bin, 'initdb'),
    ['-D', data, '-A', 'trust', '-U', 'sefleet', '-E', 'UTF8', '-N'],
    options,
  );
  if (made.status !== 0) throw new RangeError(`initdb failed: ${made.stderr}`);
  const server = spawn(join(bin, 'postgres'), ['-D', data, '-k', folder, '-h', '', '-F'], {
    ...user,
    cwd: folder,
    stdio: 'ignore',
  });
  await untilReady(bin, folder, server);
  return {
    url: `postgres://sefleet@localhost/postgres?host=${encodeURIComponent(folder)}`,
    stop: async () => {
      server.kill('SIGINT');
      if (server.exitCode === null) await once(server, 'exit');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function untilReady(bin: string, folder: string, server: ChildProcess): Promise<void> {
  for (let i = 0; i < START_TRIES && server.exitCode === null; i++) {
    if (spawnSync(join(bin, 'pg_isready'), ['-h', folder, '-q']).status === 0) return;
    await sleep(100);
  }
  throw new RangeError('PostgreSQL did not start');
}

/** The folder of PostgreSQL's programs; Debian keeps the server's away from PATH. */
function programs(): string | undefined {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).toSorted().toReversed() : [];
  const folders = [...versions.map((version) => join(DEBIAN, version, 'bin')), ...pathFolders()];
  return folders.find((folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres')));
}

function pathFolders(): string[] {
  return (process.env['PATH'] ?? '').split(':');
}
