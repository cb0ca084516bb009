import { SefleetError, type Fault, type SefleetErrorOptions } from '@sefleet/errors';

/** The errors of this service, by code. */
export const PROVISIONING_ERRORS = {
  PROVISIONING_FORBIDDEN: { fault: 'caller', doc: "The caller's certificate does not allow this call." },
  PROVISIONING_REQUEST_INVALID: {
    fault: 'caller',
    doc: 'A field of a request is missing or out of its range.',
  },
  PROVISIONING_DEVICE_NOT_FOUND: { fault: 'caller', doc: 'No device with this endpoint name was made here.' },
  PROVISIONING_DEVICE_EXISTS: {
    fault: 'caller',
    doc: 'The endpoint name is taken by a device of another make.',
  },
  PROVISIONING_CREDENTIAL_EXISTS: {
    fault: 'caller',
    doc: 'Another device proves itself with this key or certificate already.',
  },
  PROVISIONING_SERVER_CERTIFICATE_MISSING: {
    fault: 'environment',
    doc: "The LwM2M server's certificate, whose key devices are to know, cannot be read.",
  },
  PROVISIONING_ROTATION_NOT_FOUND: { fault: 'caller', doc: 'No rotation has this id.' },
  PROVISIONING_STAKEHOLDER_NOT_FOUND: { fault: 'caller', doc: 'No stakeholder has this role or name.' },
  PROVISIONING_PARTY_EXISTS: { fault: 'caller', doc: 'The name belongs to a party with other roles.' },
  PROVISIONING_PARTY_REVOKED: {
    fault: 'caller',
    doc: 'The certificates of this party were revoked, for good.',
  },
  PROVISIONING_CONTRACT_NOT_FOUND: { fault: 'caller', doc: 'No contract has this id.' },
  PROVISIONING_CONTRACT_CONFLICT: {
    fault: 'caller',
    doc: 'A contract with this id says something else, or the party does not have the role.',
  },
  PROVISIONING_CARD_REFUSED: {
    fault: 'peer',
    doc: 'A card refused a command of its personalisation or rotation.',
  },
  PROVISIONING_KEY_UNCONFIRMED: { fault: 'peer', doc: 'A card did not confirm a new key as it was sent.' },
  PROVISIONING_OLD_KEY_ALIVE: { fault: 'peer', doc: 'A card still accepted a key that had been replaced.' },
  PROVISIONING_KEY_STATE_UNKNOWN: {
    fault: 'peer',
    doc: 'A card answers to none of the keys that it could hold.',
  },
  PROVISIONING_CARD_SWAPPED: { fault: 'peer', doc: 'The card that answers is not the one of this device.' },
  PROVISIONING_CARD_TIMEOUT: { fault: 'environment', doc: 'A device did not answer in time.' },
  PROVISIONING_LINK_UNAVAILABLE: { fault: 'environment', doc: 'There is no way to a device now.' },
  PROVISIONING_STORE_UNAVAILABLE: { fault: 'environment', doc: 'The state cannot be read or written.' },
  SWITCH_NOT_FOUND: { fault: 'caller', doc: 'No supplier switch has this id.' },
  SWITCH_OVER_PRECONDITION: {
    fault: 'caller',
    doc: 'The supplier switch is over: there is nothing left to pause, resume or take back.',
  },
  SWITCH_IN_PROGRESS_CONFLICT: { fault: 'caller', doc: 'A meter is being switched already.' },
  SWITCH_CARD_SWAPPED: { fault: 'peer', doc: "The certificate or the keys on a card are another card's." },
  SWITCH_DOMAIN_PRELOADED: {
    fault: 'peer',
    doc: 'The fresh domain of a new supplier held keys of somebody else.',
  },
  SWITCH_CERTIFICATE_REFUSED: { fault: 'peer', doc: "A card refused the new supplier's certificate." },
  SWITCH_CARD_FULL: { fault: 'peer', doc: 'A card has no room for another Security Domain or its keys.' },
  SWITCH_LOOK_UP_TIMEOUT: {
    fault: 'peer',
    doc: 'The market did not say within two hours which metering point a meter is.',
  },
  SWITCH_MANDATE_REFUSED: {
    fault: 'caller',
    doc: "A device's owner gave no mandate for this, or one for something else, or it has ended or was used.",
  },
  SWITCH_METER_REFUSED: { fault: 'peer', doc: 'A meter refused a command of the switch.' },
  CUSTODY_KEY_NOT_FOUND: { fault: 'caller', doc: 'The vault of a party has no such key.' },
  CUSTODY_KEY_STATE_PRECONDITION: {
    fault: 'caller',
    doc: "A key's life-cycle state does not allow this use.",
  },
  CUSTODY_RENEWAL_PRECONDITION: {
    fault: 'caller',
    doc: 'Keys of this purpose are in cards from their making and are not renewed in the field.',
  },
  CUSTODY_RELEASE_FORBIDDEN: { fault: 'caller', doc: 'A key of this purpose never leaves its vault.' },
  CUSTODY_USE_FORBIDDEN: { fault: 'caller', doc: 'A key is not for this use.' },
  CUSTODY_TOKEN_UNAVAILABLE: {
    fault: 'environment',
    doc: "The PKCS#11 module cannot be loaded, or a party's token is not there.",
  },
  CUSTODY_TOKEN_REFUSED: {
    fault: 'environment',
    doc: 'A PKCS#11 token refused a call; the code is in the text.',
  },
  CUSTODY_PIN_REFUSED: { fault: 'environment', doc: 'A token does not accept the PIN of the PIN file.' },
  CUSTODY_PIN_FILE_INVALID: {
    fault: 'caller',
    doc: 'The PIN file can be read by others, has a line of another form, or lacks a party.',
  },
  CUSTODY_SEAL_BROKEN: { fault: 'environment', doc: 'A vault does not open with the vault key that is set.' },
  CUSTODY_ROOT_KEY_INVALID: {
    fault: 'caller',
    doc: 'The vault key is not 32 bytes in hexadecimal or base64, or its file can be read by others.',
  },
  PROVISIONING_FIRMWARE_KEY_INVALID: {
    fault: 'caller',
    doc: 'The file of the firmware authority cannot be read or holds no P-256 key.',
  },
} as const satisfies Readonly<Record<string, { readonly fault: Fault; readonly doc: string }>>;

/** A code of {@link PROVISIONING_ERRORS}. */
export type ProvisioningErrorCode = keyof typeof PROVISIONING_ERRORS;

/** The error of `code`, with the fault that the catalogue gives it. */
export function provisioningError(
  code: ProvisioningErrorCode,
  message: string,
  options: SefleetErrorOptions = {},
): SefleetError {
  return new SefleetError(code, PROVISIONING_ERRORS[code].fault, message, options);
}
