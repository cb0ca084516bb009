/** What a meter does for a switch, beside what its card does. */
export interface MeterPort {
  /** Has the meter take its cut-over reading at the instant, whether it is reachable then or not. */
  schedule(endpoint: string, at: number): Promise<void>;
  /** Takes the instant back; `taken` when the reading has been taken already. */
  unschedule(endpoint: string): Promise<'cancelled' | 'taken'>;
  /** The sealed closing record, once it has been taken. */
  closingRecord(endpoint: string): Promise<Uint8Array | undefined>;
  /** Has the meter go on under the keys that its applet holds now; its first record is the opening one. */
  resume(endpoint: string): Promise<Uint8Array>;
  /** Gives the meter an account on the server of another supplier. */
  openAccount(endpoint: string, serverUri: string, identity: string): Promise<void>;
}
