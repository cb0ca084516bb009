/** A message of the return routability check. RFC 9853 §4. */
export interface ReturnRoutabilityMessage {
  readonly type: number;
  readonly cookie: Uint8Array;
}

export const ReturnRoutabilityType = { path_challenge: 0, path_response: 1, path_drop: 2 } as const;

export const RETURN_ROUTABILITY_COOKIE_LENGTH = 8;

/**
 * The message in a record's content, or undefined when it is none. Types that are not known are the caller's
 * to ignore.
 */
export function decodeReturnRoutability(content: Uint8Array): ReturnRoutabilityMessage | undefined {
  const [type] = content;
  if (type === undefined || content.length !== 1 + RETURN_ROUTABILITY_COOKIE_LENGTH) return undefined;
  return { type, cookie: content.subarray(1) };
}

export function encodeReturnRoutability(message: ReturnRoutabilityMessage): Uint8Array {
  return Uint8Array.of(message.type, ...message.cookie);
}
