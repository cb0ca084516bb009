export type { CardPersonalisation, CardPorts, Commit, SecureElement } from './card/secure-element.ts';
export type { CardProfile, PreloadedLoadFile } from './profiles/card-profile.ts';
