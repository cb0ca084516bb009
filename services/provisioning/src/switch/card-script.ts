import {
  DATA_OBJECT,
  expectedStatus,
  getDataCommand,
  getStatusCommand,
  aidBytes,
  STATUS_SCOPE,
  STATUS_WORD,
  type Aid,
  type CommandApdu,
  type RegistryEntry,
  type ResponseApdu,
  type SecureChannelSession,
} from '@sefleet/globalplatform';
import { provisioningError } from '../errors.ts';
import { counterIn, entryIn, heldKeysIn } from './meter-card.ts';

/** A command of a script, and what is made of its answer. */
export interface ScriptLine {
  readonly command: CommandApdu;
  /** @throws SefleetError when the answer is not what it should be: the script has failed then */
  take(answer: ResponseApdu): void;
}

/**
 * Runs commands that need not wait for each other's answers, in one exchange with the card. The first refusal
 * ends it: what was not run changes nothing, and the session is over.
 */
export async function runScript(session: SecureChannelSession, lines: readonly ScriptLine[]): Promise<void> {
  const answers = await session.transmitScript(lines.map(({ command }) => command));
  for (const [i, answer] of answers.entries()) lines[i]?.take(answer);
  if (answers.length < lines.length)
    throw provisioningError('PROVISIONING_CARD_REFUSED', 'the card ended a script before its end');
}

/** A command that has to be answered with 9000, or `refused` says what it means. */
export function mustSucceed(command: CommandApdu, refused: (sw: number) => Error): ScriptLine {
  return {
    command,
    take: ({ sw }) => {
      if (sw !== STATUS_WORD.OK) throw refused(sw);
    },
  };
}

/** Asks for the registry entry of `target`; as the last line of a script, since "not there" ends it. */
export function lookFor(target: Aid, found: (entry: RegistryEntry | undefined) => void): ScriptLine {
  return {
    command: getStatusCommand(STATUS_SCOPE.APPLICATIONS, { filter: aidBytes(target) }),
    take: (answer) => found(entryIn(answer, target)),
  };
}

/** Asks for the card's count of receipts. */
export function countReceipts(counted: (count: number) => void): ScriptLine {
  const command = getDataCommand(DATA_OBJECT.CONFIRMATION_COUNTER);
  return {
    command,
    take: (answer) => counted(counterIn(expectedStatus(answer, command, 'GET DATA 00C2'))),
  };
}

/** Asks which keys the domain of the session holds, as `identifier/version`. */
export function heldKeys(held: (keys: string[]) => void): ScriptLine {
  const command = getDataCommand(DATA_OBJECT.KEY_INFORMATION);
  return { command, take: (answer) => held(heldKeysIn(expectedStatus(answer, command, 'GET DATA 00E0'))) };
}
