/** What a server knows of a registered device. What a device may change with an Update is replaced, never mutated. */
export interface Registration {
  /** The last segment of `/rd/{id}`. */
  readonly id: string;
  /** The endpoint name. */
  readonly endpoint: string;
  /** Whom the channel proved, as {@link credentialName} writes it. */
  readonly credential: string;
  /** What the authoriser says the device is; empty when it says nothing. */
  readonly kind: string;
  /** LwM2M enabler version, `1.0`, `1.1` or `1.2`. */
  readonly version: string;
  /** 0 never expires (Core §6.2.1). */
  readonly lifetimeSeconds: number;
  /** Binding modes, for example `U` or `UT`, without the `Q` of LwM2M 1.0. */
  readonly binding: string;
  readonly queueMode: boolean;
  readonly smsNumber: string | undefined;
  /** Objects and instances, in link format as the device sent it. */
  readonly links: string;
  /** Wall clock, milliseconds since 1970. */
  readonly registeredAtMs: number;
  /** Wall clock of the last Register or Update. */
  readonly updatedAtMs: number;
}

/** The parameters of a Register or Update as the device sent them (Core §6.2.1, §6.2.2). */
export interface RegistrationParameters {
  readonly endpoint: string | undefined;
  readonly version: string | undefined;
  readonly lifetimeSeconds: number | undefined;
  readonly binding: string | undefined;
  readonly queueMode: boolean | undefined;
  readonly smsNumber: string | undefined;
  readonly links: string | undefined;
}

/** LwM2M Core §6.2.1: 24 hours when the device does not say. */
export const DEFAULT_LIFETIME_SECONDS = 86_400;
