import { secureElementError } from '../errors.ts';
import { AES_KEY_LENGTHS, CARD_LIFE_CYCLE, KEY_TYPE } from '@sefleet/globalplatform';
import type { AppletProgram } from '../applets/applet.ts';
import { STANDARD_APPLETS } from '../applets/standard-applets.ts';
import { checkState } from '../image/check-state.ts';
import { decodeCardState, readImageHeader } from '../image/card-state-codec.ts';
import type { CardProfile } from '../profiles/card-profile.ts';
import { STANDARD_PROFILE } from '../profiles/standard-profile.ts';
import type { CardState, SecurityDomain } from './card-state.ts';
import type { CardPersonalisation, CardPorts, SecureElement } from './secure-element.ts';
import { checkDescent, factoryLife } from './lineage.ts';
import type { CardAnchor } from './lineage.ts';
import { VirtualCard } from './virtual-card.ts';
import type { AppletPrograms } from './virtual-card.ts';

const KDD_LENGTH = 10;
const MAX_IDENTIFIER_LENGTH = 16;

/**
 * A new card as the factory ships it: its Issuer Security Domain has `personalisation.issuerKeys`, the card
 * is SECURED and nothing else is on it but what the profile preloads.
 *
 * @throws SefleetError `SE_PERSONALISATION_INVALID`.
 * @example
 * const card = createCard(STANDARD_PROFILE, personalisation, { rng });
 * card.transmit(fromHex('00A4040000')); // the Issuer Security Domain's FCI, 9000
 */
export function createCard(
  profile: CardProfile,
  personalisation: CardPersonalisation,
  ports: CardPorts,
): SecureElement {
  return new VirtualCard(profile, factoryState(profile, personalisation), 0, ports, programsOf(ports));
}

/** What {@link importCard} may be told. */
export interface ImportOptions {
  /** Profiles by which an image may be named; the standard one is always known. */
  readonly profiles?: readonly CardProfile[];
  /** Where the card is known to have been: an image that does not continue from there is refused. */
  readonly anchor?: CardAnchor;
}

/** The card as bytes, with its keys in the clear: they belong encrypted wherever they are stored. */
export function exportCard(card: SecureElement): Uint8Array {
  // All cards are made in this file.
  return (card as VirtualCard).image();
}

/**
 * The card of an image. Its first change begins a new run of the card, by which another copy of the same
 * image is told apart from it.
 *
 * @throws SefleetError `SE_IMAGE_MALFORMED`, `SE_PROFILE_UNKNOWN`; with an anchor `SE_IMAGE_FOREIGN`,
 *   `SE_IMAGE_ROLLED_BACK` or `SE_IMAGE_FORKED`.
 */
export function importCard(image: Uint8Array, ports: CardPorts, options: ImportOptions = {}): SecureElement {
  const header = readImageHeader(image);
  const known = [STANDARD_PROFILE, ...(options.profiles ?? [])];
  const profile = known.find((candidate) => candidate.name === header.profile);
  if (profile === undefined) {
    throw secureElementError('SE_PROFILE_UNKNOWN', `no profile is called ${header.profile}`);
  }
  if (options.anchor !== undefined) checkDescent(header, options.anchor);
  // Read whole so that a bad image fails here; the card starts parked and reads it again when it is used.
  const programs = programsOf(ports);
  checkState(decodeCardState(image, programs));
  return new VirtualCard(profile, image.slice(), header.revision, ports, programs);
}

const extended = new WeakMap<readonly AppletProgram[], AppletPrograms>();

/** The applets of a card: one map for all cards that are given the same array. */
function programsOf({ applets }: CardPorts): AppletPrograms {
  if (applets === undefined) return STANDARD_APPLETS;
  const known = extended.get(applets);
  if (known !== undefined) return known;
  const programs = new Map([
    ...STANDARD_APPLETS,
    ...applets.map((program) => [program.module, program] as const),
  ]);
  extended.set(applets, programs);
  return programs;
}

function factoryState(profile: CardProfile, personalisation: CardPersonalisation): CardState {
  const { diversificationData, issuerIdentification, cardImageNumber, issuerKeys } = personalisation;
  const keys = [issuerKeys.enc, issuerKeys.mac, issuerKeys.dek];
  const valid =
    diversificationData.length === KDD_LENGTH &&
    [issuerIdentification, cardImageNumber].every(
      ({ length }) => length > 0 && length <= MAX_IDENTIFIER_LENGTH,
    ) &&
    keys.every((key) => AES_KEY_LENGTHS.includes(key.length)) &&
    issuerKeys.version > 0 &&
    issuerKeys.version <= 0xff;
  if (!valid) {
    throw secureElementError(
      'SE_PERSONALISATION_INVALID',
      'KDD 10 bytes, IIN and CIN 1 to 16, AES keys, version 1 to 255',
    );
  }
  const issuer: SecurityDomain = {
    kind: 'security-domain',
    aid: profile.issuerDomain,
    lifeCycle: CARD_LIFE_CYCLE.SECURED,
    privileges: profile.issuerPrivileges,
    parent: profile.issuerDomain,
    loadFile: undefined,
    module: undefined,
    scp03: profile.scp03,
    acceptsExtraditionHere: true,
    acceptsExtraditionAway: true,
    acceptsDeletion: false,
    controllingAuthority: false,
    quotaBytes: 0,
    keySets: [
      {
        version: issuerKeys.version,
        sequence: 0,
        keys: keys.map((value, i) => ({ id: i + 1, type: KEY_TYPE.AES, value: value.slice() })),
      },
    ],
    objects: [
      { tag: 0x42, value: issuerIdentification.slice() },
      { tag: 0x45, value: cardImageNumber.slice() },
    ],
    account: undefined,
  };
  return {
    revision: 0,
    lifeCycle: CARD_LIFE_CYCLE.SECURED,
    identity: { diversificationData: diversificationData.slice() },
    lives: [factoryLife(diversificationData)],
    confirmationCounter: 0,
    usedTokens: [],
    loadFiles: [],
    deletedLoadFiles: [],
    entries: [issuer],
  };
}
