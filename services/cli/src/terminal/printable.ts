/**
 * A text that others wrote, for a terminal: control characters, with which it could move the cursor or hide
 * what was printed before, stand as their numbers.
 */
export function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, (character) => `\\x${Buffer.from(character, 'latin1').toString('hex')}`);
}
