/** What the class byte says (ISO/IEC 7816-4 §5.4.1; GPCS 2.3.1 §11.1.4). */
export interface ClassByte {
  /** The logical channel, 0 to 19. */
  readonly channel: number;
  /** More commands of the chain follow. */
  readonly chaining: boolean;
  /** GlobalPlatform secure messaging is on. */
  readonly secure: boolean;
  /** A proprietary class: GlobalPlatform's own commands have it. */
  readonly proprietary: boolean;
}

const PROPRIETARY = 0x80;
const FURTHER_INTERINDUSTRY = 0x40;
const CHAINING = 0x10;
const FURTHER_SECURE = 0x20;
const BASIC_SECURE = 0x0c;
const FIRST_FURTHER_CHANNEL = 4;

/** Reads a class byte; undefined for the values that ISO/IEC 7816-4 reserves (001x xxxx and FF). */
export function decodeClassByte(cla: number): ClassByte | undefined {
  if (cla === 0xff) return undefined;
  const proprietary = (cla & PROPRIETARY) !== 0;
  const chaining = (cla & CHAINING) !== 0;
  if ((cla & FURTHER_INTERINDUSTRY) !== 0) {
    const channel = FIRST_FURTHER_CHANNEL + (cla & 0x0f);
    return { channel, chaining, secure: (cla & FURTHER_SECURE) !== 0, proprietary };
  }
  if ((cla & 0x20) !== 0) return undefined;
  return { channel: cla & 0x03, chaining, secure: (cla & BASIC_SECURE) !== 0, proprietary };
}

/** `cla` of channel 0 without secure messaging, moved to `channel`. */
export function classForChannel(cla: number, channel: number): number {
  if (channel < FIRST_FURTHER_CHANNEL) return (cla & ~0x03) | channel;
  const kept = cla & (PROPRIETARY | CHAINING);
  const secure = (cla & BASIC_SECURE) === 0 ? 0 : FURTHER_SECURE;
  return kept | secure | FURTHER_INTERINDUSTRY | (channel - FIRST_FURTHER_CHANNEL);
}

/** `cla` with the secure messaging bit set. */
export function secureClass(cla: number): number {
  return (cla & FURTHER_INTERINDUSTRY) === 0 ? cla | 0x04 : cla | FURTHER_SECURE;
}

/**
 * `cla` without secure messaging, chaining and logical channel: the form that the C-MAC covers, before `04`
 * is set.
 */
export function plainClass(cla: number): number {
  return cla & PROPRIETARY;
}
