/** RFC 5246 §7.2. */
export interface Alert {
  readonly level: number;
  readonly description: number;
}

/** The alert in a record's content, or undefined when it is none. */
export function decodeAlert(content: Uint8Array): Alert | undefined {
  const [level, description] = content;
  if (content.length !== 2 || level === undefined || description === undefined) return undefined;
  return { level, description };
}

export function encodeAlert(alert: Alert): Uint8Array {
  return Uint8Array.of(alert.level, alert.description);
}
