/** Which of a device's two LwM2M accounts a PSK is for. */
export type PskPurpose = 'bootstrap' | 'management';

const BOOTSTRAP_PREFIX = 'bs:';
/** Identities of stakeholders' accounts begin with it. */
const STAKEHOLDER_PREFIX = 'sp:';
const MAX_ENDPOINT_BYTES = 128;
const ENDPOINT = /^[A-Za-z0-9][A-Za-z0-9:._-]*$/;

/** True for endpoint names that fit a PSK identity, a URI and a file name of every system between. */
export function isEndpointName(endpoint: string): boolean {
  return (
    endpoint.length <= MAX_ENDPOINT_BYTES &&
    ENDPOINT.test(endpoint) &&
    !endpoint.startsWith(BOOTSTRAP_PREFIX) &&
    !endpoint.startsWith(STAKEHOLDER_PREFIX)
  );
}

/** The PSK identity of an account: the endpoint name, behind `bs:` for the bootstrap account. */
export function pskIdentity(endpoint: string, purpose: PskPurpose): string {
  return purpose === 'bootstrap' ? BOOTSTRAP_PREFIX + endpoint : endpoint;
}

/** The account that an identity names. */
export function parsePskIdentity(identity: string): {
  readonly endpoint: string;
  readonly purpose: PskPurpose;
} {
  return identity.startsWith(BOOTSTRAP_PREFIX)
    ? { endpoint: identity.slice(BOOTSTRAP_PREFIX.length), purpose: 'bootstrap' }
    : { endpoint: identity, purpose: 'management' };
}
