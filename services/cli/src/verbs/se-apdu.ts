import { appendFileSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { fromHex, toHex } from '@sefleet/bytes';
import { isSefleetError } from '@sefleet/errors';
import { decodeApdu } from '@sefleet/globalplatform';
import { usageError, type Verb } from '../command-line.ts';
import { writeResult } from '../result-file.ts';
import { visitCard, type CardVisit } from '../secure-element/card-visit.ts';
import { describeExchange, formatExchange } from '../secure-element/describe-exchange.ts';
import { withBackend } from './fleet.ts';

export const seApdu: Verb = {
  name: 'se apdu',
  summary:
    'talk to a card: APDUs as arguments, from a script, or typed in; commands, answers and status words are explained',
  positionals: '<endpoint> [hex ...]',
  options: {
    json: { type: 'boolean', doc: 'one JSON line an exchange' },
    trace: {
      type: 'string',
      value: 'file',
      doc: 'record the visit: one JSON line an exchange, nothing left out (new file, for you alone)',
    },
  },
  examples: [
    'sefleet se apdu urn:dev:sefleet:meter-000001 00A4040000 80CA9F7F00',
    'sefleet se apdu urn:dev:sefleet:meter-000001 < script.txt   # one APDU a line, # begins a comment',
    'sefleet se apdu urn:dev:sefleet:meter-000001 --trace visit.jsonl 00A4040000',
  ],
  run: (parsed) => {
    const [endpoint, ...apdus] = parsed.positionals;
    if (endpoint === undefined) throw usageError('which card?', 'List them: sefleet se list');
    return withBackend(async (backend) => {
      const trace = parsed.text('trace');
      const card = await visitCard(backend, endpoint);
      const visit = trace === undefined ? card : recordVisit(card, endpoint, trace);
      try {
        await runLines(visit, apdus.length > 0 ? apdus : readLines(), parsed.flag('json'));
      } finally {
        visit.leave();
      }
    });
  },
};

/** The visit, each exchange of which is appended to `file` when it is over. */
export function recordVisit(visit: CardVisit, endpoint: string, file: string): CardVisit {
  const line = (entry: object): string => `${JSON.stringify(entry)}\n`;
  const start = line({ endpoint, answerToReset: toHex(visit.answerToReset) });
  writeResult(file, start, { isSecret: true, isNew: true });
  return {
    answerToReset: visit.answerToReset,
    transmit: async (command) => {
      const response = await visit.transmit(command);
      appendFileSync(file, line({ command: toHex(command), response: toHex(response) }));
      return response;
    },
    reset: async () => {
      await visit.reset();
      appendFileSync(file, line({ reset: true }));
    },
    leave: () => visit.leave(),
  };
}

/** Carries lines out in order. Who types a line wrongly is asked again; a script ends there. */
async function runLines(
  visit: CardVisit,
  lines: AsyncIterable<string> | Iterable<string>,
  json: boolean,
): Promise<void> {
  const typedIn = !Array.isArray(lines) && process.stdin.isTTY;
  let number = 0;
  for await (const line of lines) {
    number++;
    const text = line.replace(/#.*/, '').trim();
    if (text === '') continue;
    try {
      if (text === 'reset') await visit.reset();
      else console.log(await exchangeLine(visit, parseApdu(text, number), json));
    } catch (error) {
      if (!typedIn || !isSefleetError(error, 'CLI_USAGE')) throw error;
      console.error(`${error.message}. ${error.hint ?? ''}`);
    }
  }
}

async function exchangeLine(visit: CardVisit, command: Uint8Array, json: boolean): Promise<string> {
  const response = await visit.transmit(command);
  const words = describeExchange({ command, response });
  return json ? JSON.stringify(words) : formatExchange(words);
}

/**
 * The command APDU of a line, with blanks between its bytes or none.
 *
 * @throws SefleetError `CLI_USAGE` that names the line
 */
export function parseApdu(text: string, line: number): Uint8Array {
  try {
    const command = fromHex(text);
    decodeApdu(command);
    return command;
  } catch (error) {
    if (!(error instanceof RangeError) && !isSefleetError(error)) throw error;
    throw usageError(
      `line ${line}: ${JSON.stringify(text.slice(0, 40))} is no command APDU`,
      'Four bytes in hexadecimal at least, and lengths that fit; or reset.',
    );
  }
}

async function* readLines(): AsyncGenerator<string> {
  const terminal = process.stdin.isTTY;
  const lines = createInterface({ input: process.stdin, ...(terminal ? { output: process.stderr } : {}) });
  if (terminal) {
    lines.setPrompt('apdu> ');
    lines.prompt();
  }
  for await (const line of lines) {
    yield line;
    if (terminal) lines.prompt();
  }
}
