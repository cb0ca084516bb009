import { SefleetError } from '@sefleet/errors';
import { EXIT_CODES, type ExitCode } from './exit-codes.ts';

const SIGNAL_CODES: ReadonlyMap<NodeJS.Signals, ExitCode> = new Map([
  ['SIGINT', EXIT_CODES.interrupted],
  ['SIGTERM', EXIT_CODES.terminated],
]);

/** Calls `stop` once, at the first Ctrl-C or `kill`, with the exit code that the signal asks for. */
export function onInterruption(stop: (exitCode: ExitCode) => void): void {
  let over = false;
  for (const [signal, exitCode] of SIGNAL_CODES) {
    process.once(signal, () => {
      if (!over) stop(exitCode);
      over = true;
    });
  }
}

/** What a verb ends with that was interrupted; `exitCodeOf` finds the code again. */
export function interruptedError(exitCode: ExitCode): SefleetError {
  return new SefleetError('CLI_INTERRUPTED', 'caller', 'interrupted', {
    hint: 'Nothing was left running.',
    context: { exitCode },
  });
}

/** The exit code of an error; undefined when it is none of {@link interruptedError}. */
export function interruptionCodeOf({ code, context }: SefleetError): ExitCode | undefined {
  if (code !== 'CLI_INTERRUPTED') return undefined;
  return [...SIGNAL_CODES.values()].find((exitCode) => exitCode === context['exitCode']);
}
