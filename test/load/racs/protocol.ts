/** A certificate and its key, PEM. */
export interface RacsCredential {
  readonly certificate: string;
  readonly privateKey: string;
}

/** What the server process is told first. */
export interface RacsSetUp {
  readonly authority: string;
  readonly server: RacsCredential;
  readonly client: RacsCredential;
  /** Secure elements `card-0` to `card-<n-1>`. */
  readonly cards: number;
}

/** What the server process says about itself when it is asked. */
export interface RacsReport {
  readonly cpuSeconds: number;
  readonly rssBytes: number;
  readonly apdus: number;
}
