import type { StreamConnection } from '@sefleet/runtime';
import { LineSplitter } from './line-splitter.ts';
import { RacsServerSession, type RacsServerContext } from './server-session.ts';

/** Lines taken from the socket and not yet carried out; a client that sends more is cut off. */
const WAITING_LINES_MAX = 4096;

/**
 * Serves one TLS connection: lines are carried out in their order, answers are written no faster than the
 * client reads, and when the connection ends everything that it used is powered off.
 *
 * @param commonName of the certificate that the client proved; a connection without one must not come here.
 */
export function serveRacsConnection(
  connection: StreamConnection,
  context: RacsServerContext,
  commonName: string,
): void {
  const session = new RacsServerSession(context, commonName);
  const splitter = new LineSplitter();
  const waiting: string[] = [];
  let working = false;
  let open = true;
  const work = async (): Promise<void> => {
    working = true;
    for (let line = waiting.shift(); line !== undefined && open; line = waiting.shift()) {
      const answer = await session.receive(line);
      if (answer.length === 0 || !open) continue;
      const whole = `${answer.join('\r\n')}\r\n`;
      if (!connection.write(Buffer.from(whole, 'latin1'))) await connection.writable();
    }
    working = false;
  };
  const fail = (): void => {
    connection.close();
    end();
  };
  const end = (): void => {
    if (!open) return;
    open = false;
    session.close();
  };
  connection.listen({
    data: (data) => {
      try {
        waiting.push(...splitter.push(data));
      } catch {
        return fail();
      }
      if (waiting.length > WAITING_LINES_MAX) return fail();
      if (!working) work().catch(fail);
      return undefined;
    },
    closed: end,
  });
}
