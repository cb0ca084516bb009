/**
 * The LwM2M object through which a meter takes part in a switch; an id of OMA's private range. Resources:
 * the instant in milliseconds (W), the sealed closing record (R), withdraw the instant (E), the order for the
 * card (W), the sealed opening record (R).
 */
export const SUPPLY_CONTRACT = {
  INSTANT: '/30002/0/0',
  CLOSING_RECORD: '/30002/0/1',
  WITHDRAW: '/30002/0/2',
  ORDER: '/30002/0/3',
  OPENING_RECORD: '/30002/0/4',
} as const;

/** CoAP codes that mean something here. */
export const SUPPLY_CODE = {
  CHANGED: '2.04',
  CONTENT: '2.05',
  NOT_FOUND: '4.04',
  NOT_ALLOWED: '4.05',
} as const;
