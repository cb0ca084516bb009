import { ERROR_CLASSES, formatStatusLine, RacsClient, type StatusLine } from '@sefleet/racs';
import { connectStream } from '@sefleet/runtime/node';
import { readTlsFiles } from '@sefleet/service';
import { SefleetError } from '@sefleet/errors';
import { usageError, type Verb } from '../command-line.ts';
import { EXIT_CODES, type ExitCode } from '../exit-codes.ts';
import { pkiFolder, readLayout } from '../supervisor/layout.ts';

export const seRacs: Verb = {
  name: 'se racs',
  summary:
    'send one RACS request (mutual TLS) and print the response; ends with 2 when a command was refused, with 3 when the element could not be had',
  positionals: '<command> [command ...]',
  options: {
    server: { type: 'string', value: 'host:port', default: '127.0.0.1:7777', doc: 'the RACS server' },
    certificate: {
      type: 'string',
      value: 'name',
      default: 'cli',
      doc: 'name of a certificate in the PKI folder',
    },
  },
  examples: [
    "sefleet se racs 'LIST'",
    "sefleet se racs 'POWERON urn:dev:sefleet:obu-000001' 'APDU urn:dev:sefleet:obu-000001 00A4040000'",
  ],
  run: async (parsed) => {
    const commands = parsed.positionals;
    const found = /^(.+):(\d{1,5})$/.exec(parsed.text('server') ?? '');
    if (commands.length === 0 || found === null) {
      throw usageError('commands and --server host:port are needed', "Try: sefleet se racs 'LIST'");
    }
    const [, address = '', port = ''] = found;
    const tls = readTlsFiles(pkiFolder(readLayout(process.env)), parsed.text('certificate') ?? 'cli');
    const client = new RacsClient(await connect(address, Number(port), tls));
    try {
      const { statuses } = await client.request(commands);
      for (const status of statuses) console.log(formatStatusLine(status));
      return racsExitCode(statuses);
    } finally {
      client.close();
    }
  },
};

/**
 * What a script learns: 3 when the element could not be had (in use, hardware, system), 2 when the server or
 * the element refused what it was asked.
 */
export function racsExitCode(statuses: readonly StatusLine[]): ExitCode {
  const refused = statuses.find(({ ok }) => !ok);
  if (refused === undefined) return EXIT_CODES.passed;
  return Math.floor(refused.code / 100) >= ERROR_CLASSES.inUse ? EXIT_CODES.unreachable : EXIT_CODES.usage;
}

async function connect(
  address: string,
  port: number,
  tls: ReturnType<typeof readTlsFiles>,
): ReturnType<typeof connectStream> {
  try {
    return await connectStream({ address, port }, { ...tls, serverName: 'localhost' });
  } catch (cause) {
    throw new SefleetError('CLI_RACS_UNREACHABLE', 'environment', `no RACS server at ${address}:${port}`, {
      cause,
      hint: 'Start the system (sefleet up) and a fleet; the port is SEFLEET_RACS_PORT.',
    });
  }
}
