import type { CutOverRecords } from '@sefleet/secure-element';

/** Which records an instant leaves behind: the last of who goes, the first of who comes. */
export type InstantRecords = Partial<CutOverRecords>;

/** What a meter does for a switch, beside what its card does. */
export interface MeterPort {
  /**
   * Has the meter take its cut-over reading at the instant, whether it is reachable then or not, and hand it
   * to its card with `order`.
   */
  schedule(endpoint: string, at: number, order: Uint8Array): Promise<void>;
  /** Takes the instant of `order` back; `taken` when the reading has been taken already. */
  unschedule(endpoint: string, order: Uint8Array): Promise<'cancelled' | 'taken'>;
  /**
   * The reading of the instant, sealed for whoever it is the last or the first one, once it has been taken.
   *
   * @param wanted which of the records there have to be
   */
  instantRecords(
    endpoint: string,
    wanted: readonly (keyof InstantRecords)[],
  ): Promise<InstantRecords | undefined>;
  /** Has the meter fetch its server accounts from the bootstrap server anew; it has when this resolves. */
  rewriteAccounts(endpoint: string): Promise<void>;
}
