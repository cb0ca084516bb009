/** Exit codes that scripts and CI depend on. */
export const EXIT_CODES = {
  passed: 0,
  internal: 1,
  usage: 2,
  unreachable: 3,
  generatorTooSlow: 4,
  dataIntegrity: 5,
  thresholdFailed: 99,
  /** 128 and the number of the signal, as shells have it: Ctrl-C, and `kill`. */
  interrupted: 130,
  terminated: 143,
} as const;

/** One of {@link EXIT_CODES}. */
export type ExitCode = (typeof EXIT_CODES)[keyof typeof EXIT_CODES];
