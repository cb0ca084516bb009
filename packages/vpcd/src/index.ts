export { encodeFrame, FrameSplitter } from './frame.ts';
export { insertCard } from './virtual-card-session.ts';
export type { InsertedCard } from './virtual-card-session.ts';
