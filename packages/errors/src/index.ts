export { SefleetError, isSefleetError } from './sefleet-error.ts';
export type { Fault, SefleetErrorOptions } from './sefleet-error.ts';
