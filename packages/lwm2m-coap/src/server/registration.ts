import type { RegisteredObject } from '@sefleet/lwm2m';

/**
 * What a server knows of a registered device. What a device may change with an Update is replaced, never
 * mutated.
 */
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
  /** 0 never expires. */
  readonly lifetimeSeconds: number;
  /** Binding modes, for example `U` or `UT`, without the `Q` of LwM2M 1.0. */
  readonly binding: string;
  readonly queueMode: boolean;
  readonly smsNumber: string | undefined;
  readonly announcement: Announcement;
  /** Wall clock, milliseconds since 1970. */
  readonly registeredAtMs: number;
  /** Wall clock of the last Register or Update. */
  readonly updatedAtMs: number;
}

/** The body of a Register: what a device has. Devices that announce the same share one. */
export interface Announcement {
  /** Link format, as the device sent it. */
  readonly links: string;
  /** The alternate path, `/` by default. */
  readonly rootPath: string;
  readonly contentFormats: readonly number[];
  readonly objects: readonly RegisteredObject[];
}
