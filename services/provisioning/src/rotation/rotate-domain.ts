import { bytesEqual, toHex } from '@sefleet/bytes';
import { isSefleetError } from '@sefleet/errors';
import {
  aidBytes,
  checkPutKeyResponse,
  encodeApdu,
  expectStatus,
  KEY_TYPE,
  openScp03Session,
  putKeysCommand,
  readKeyInformation,
  selectCommand,
  STATUS_WORD,
  type SecureChannelSession,
  type StaticKeys,
} from '@sefleet/globalplatform';
import type { Rng } from '@sefleet/runtime';
import { CardConversation, type ApduChannel } from '../card-link/card-link.ts';
import type { PartyVault } from '../custody/key-custody.ts';
import { generationNear, keyVersionOf } from '../domain/key-versions.ts';
import {
  nextRotationStep,
  type DeviceRotation,
  type RotationInput,
  type RotationStep,
} from '../domain/rotation.ts';
import { provisioningError } from '../errors.ts';
import { probeOldKeys } from './old-key-probe.ts';
import { renewRecordKey } from './renew-record-key.ts';

/** What the rotation of one Security Domain needs. */
export interface RotationPorts {
  readonly channel: ApduChannel;
  /** The vault of the party whose domain it is. */
  readonly vault: PartyVault;
  readonly rng: Rng;
  /** Key diversification data of the card that the device was shipped with. */
  readonly diversification: Uint8Array;
  /** Writes down how far it has come; the next effect waits for it. */
  journal(step: RotationStep): Promise<void>;
}

/**
 * Rotates the keys of one Security Domain, from wherever the journal says it stands: finds out which keys the
 * card holds, puts the new ones, has them confirmed by check values and by the key information template, sees
 * the old ones refused and opens a session with the new ones. A record key that was renewed in the vault
 * comes to the card with that.
 *
 * Running it again after any failure is safe: what the card answers decides, not what was meant to happen.
 *
 * @throws SefleetError with a code of `PROVISIONING_ERRORS` or of GlobalPlatform's.
 */
export async function rotateDomain(rotation: DeviceRotation, ports: RotationPorts): Promise<void> {
  const card = new DomainCard(rotation, ports);
  const { session, generation } = await card.openWithHeldKeys();
  let { step } = rotation;
  const advance = async (input: RotationInput): Promise<void> => {
    const next = nextRotationStep(step, input);
    if (next === undefined) {
      throw provisioningError(
        'PROVISIONING_KEY_STATE_UNKNOWN',
        `the journal says ${step} and the card ${input}`,
      );
    }
    if (next !== step) await ports.journal(next);
    step = next;
  };
  if (generation === rotation.toGeneration) {
    await advance('already-installed');
  } else {
    await advance('install');
    await card.putKeys(session);
    await advance('key-confirmed');
  }
  await card.proveOldKeysDead();
  await card.openWith(rotation.toGeneration);
  const openDomain = (): Promise<SecureChannelSession> => card.openWith(rotation.toGeneration);
  await renewRecordKey(rotation, { ...ports, openDomain });
}

/** The Security Domain of one rotation, as the host sees it. */
class DomainCard {
  readonly #rotation: DeviceRotation;
  readonly #ports: RotationPorts;
  readonly #domainAid: Uint8Array;

  constructor(rotation: DeviceRotation, ports: RotationPorts) {
    this.#rotation = rotation;
    this.#ports = ports;
    this.#domainAid = aidBytes(rotation.domain);
  }

  /** Opens a session with the keys that the card says it holds, when they can be ours. */
  async openWithHeldKeys(): Promise<{ readonly session: SecureChannelSession; readonly generation: number }> {
    const { fromGeneration, toGeneration } = this.#rotation;
    const old = await this.#keys(fromGeneration);
    const next = await this.#keys(toGeneration);
    let generation: number | undefined;
    const session = await this.#open(0, (keyVersion) => {
      generation = generationNear(fromGeneration, keyVersion);
      if (generation === fromGeneration) return old;
      if (generation === toGeneration) return next;
      throw provisioningError('PROVISIONING_KEY_STATE_UNKNOWN', 'the card holds keys of another version', {
        context: { keyVersion, expected: [keyVersionOf(fromGeneration), keyVersionOf(toGeneration)] },
      });
    });
    return { session, generation: generation ?? fromGeneration };
  }

  async openWith(generation: number): Promise<SecureChannelSession> {
    const keys = await this.#keys(generation);
    return this.#open(keyVersionOf(generation), () => keys);
  }

  /**
   * PUT KEY in the place of the old ones, confirmed by the check values and by what GET DATA says is there.
   */
  async putKeys(session: SecureChannelSession): Promise<void> {
    const { fromGeneration, toGeneration } = this.#rotation;
    const keys = await this.#keys(toGeneration);
    const newVersion = keyVersionOf(toGeneration);
    const command = putKeysCommand(session, keys, { newVersion, oldVersion: keyVersionOf(fromGeneration) });
    const answer = await expectStatus(session, command, 'PUT KEY');
    checkPutKeyResponse(answer.data, newVersion, [keys.enc, keys.mac, keys.dek]);
    const held = await readKeyInformation(session);
    const channelKeys = held.filter(({ components }) => components.some(({ type }) => type === KEY_TYPE.AES));
    if (channelKeys.length !== 3 || !channelKeys.every(({ keyVersion }) => keyVersion === newVersion)) {
      throw provisioningError('PROVISIONING_KEY_UNCONFIRMED', 'the domain holds other keys than were put', {
        context: { held: held.map(({ keyId, keyVersion }) => `${keyId}/${keyVersion.toString(16)}`) },
      });
    }
  }

  /** @throws SefleetError `PROVISIONING_OLD_KEY_ALIVE` unless every try with the old keys is refused. */
  async proveOldKeysDead(): Promise<void> {
    const keys = await this.#keys(this.#rotation.fromGeneration);
    await probeOldKeys({
      channel: this.#ports.channel,
      domainAid: this.#domainAid,
      keys,
      keyVersion: keyVersionOf(this.#rotation.fromGeneration),
      rng: this.#ports.rng,
    });
  }

  async #open(keyVersion: number, keysOf: (keyVersion: number) => StaticKeys): Promise<SecureChannelSession> {
    const { rng, channel, diversification } = this.#ports;
    const conversation = new CardConversation(channel);
    conversation.putAhead(encodeApdu(selectCommand(this.#domainAid)));
    return openScp03Session({
      transmit: conversation.transmit,
      keyVersion,
      level: 0x33,
      rng,
      domainAid: this.#domainAid,
      keys: (response) => {
        if (!bytesEqual(response.diversificationData, diversification)) {
          throw provisioningError('PROVISIONING_CARD_SWAPPED', 'another card answers for this device', {
            context: { diversification: toHex(response.diversificationData) },
          });
        }
        return keysOf(response.keyVersion);
      },
    });
  }

  #keys(generation: number): Promise<StaticKeys> {
    return this.#ports.vault.diversify('domain', generation, this.#ports.diversification);
  }
}

/** True when trying again may help: the way to the card failed, not the card. */
export function mayBeTriedAgain(error: unknown): boolean {
  if (!isSefleetError(error)) return false;
  if (error.fault === 'environment' || error.code === 'GP_RESPONSE_MAC_INVALID') return true;
  // Another conversation with the card got in between and closed our session.
  return error.code === 'GP_STATUS_WORD' && error.context['sw'] === STATUS_WORD.SECURITY_STATUS_NOT_SATISFIED;
}
