/** What the server knows of a pre-shared key's holder. */
export interface DeviceCredential {
  readonly identity: string;
  /** The one endpoint name that may be used with it. */
  readonly endpoint: string;
  /** `smart-meter`, `obu`, `rpm-gateway` or empty. */
  readonly kind: string;
  /** True for the account of the bootstrap server, false for the management server's. */
  readonly bootstrap: boolean;
}

/** What the server knows of a credential that a device's owner made. */
export interface OwnCredential {
  readonly endpoint: string;
  readonly kind: string;
  /** DER certificate of the authority that vouches for the endpoint; empty for a key or a certificate. */
  readonly authority: Uint8Array;
}
