import { common } from '@sefleet/api';
import type { RecordTopicKind } from '@sefleet/cose';

const WORDS: readonly (readonly [common.DeviceKind, RecordTopicKind])[] = [
  [common.DeviceKind.SMART_METER, 'smart-meter'],
  [common.DeviceKind.OBU, 'obu'],
  [common.DeviceKind.RPM_GATEWAY, 'rpm-gateway'],
];

/** Every kind there is. */
export const DEVICE_KINDS: readonly common.DeviceKind[] = WORDS.map(([kind]) => kind);

/** The word of a kind in topics and tables; empty for an unspecified one. */
export function wordOfKind(kind: common.DeviceKind): RecordTopicKind | '' {
  return WORDS.find(([candidate]) => candidate === kind)?.[1] ?? '';
}

/** The kind that a word in a topic or table stands for. */
export function kindOfWord(word: string): common.DeviceKind {
  return WORDS.find(([, candidate]) => candidate === word)?.[0] ?? common.DeviceKind.UNSPECIFIED;
}
