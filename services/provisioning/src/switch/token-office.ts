import { createHash } from 'node:crypto';
import { concatBytes } from '@sefleet/bytes';
import {
  aidBytes,
  attachToken,
  encodeInstallForRegistry,
  encodeTlv,
  gpCommand,
  INS,
  INSTALL_FOR,
  installCommand,
  PRIVILEGE,
  tokenInput,
  type Aid,
  type CommandApdu,
} from '@sefleet/globalplatform';
import { SECURITY_DOMAIN_LOAD_FILE, SECURITY_DOMAIN_MODULE } from '@sefleet/secure-element';
import type { PartyVault } from '../custody/key-custody.ts';
import { NO_PARAMETERS, OPEN_DOMAIN_PARAMETERS } from '../manufacture/install-commands.ts';
import type { CardIdentity } from '../manufacture/management-domains.ts';

/** A command that its token allows, and the digest under which the token is remembered. */
export interface AllowedCommand {
  readonly command: CommandApdu;
  readonly tokenDigest: string;
}

const SERIAL_BYTES = 8;
const NONE = new Uint8Array();

/**
 * The card issuer's office: it allows single commands on single cards, once each. A token covers the command,
 * the card
 * (tags 42 and 45) and a serial number (tag 93).
 */
export class TokenOffice {
  readonly #issuer: PartyVault;
  readonly #card: CardIdentity;
  readonly #serialOf: () => Uint8Array;

  /** @param serialOf Gives a number that was never given before. */
  constructor(issuer: PartyVault, card: CardIdentity, serialOf: () => Uint8Array) {
    this.#issuer = issuer;
    this.#card = card;
    this.#serialOf = serialOf;
  }

  /** INSTALL of a stakeholder's domain. */
  installDomain(instance: Aid, parameters: Uint8Array = OPEN_DOMAIN_PARAMETERS): Promise<AllowedCommand> {
    return this.#allow(
      installCommand({
        loadFile: aidBytes(SECURITY_DOMAIN_LOAD_FILE),
        module: aidBytes(SECURITY_DOMAIN_MODULE),
        instance: aidBytes(instance),
        privileges: PRIVILEGE.SECURITY_DOMAIN,
        parameters: concatBytes(parameters, this.#conditions()),
      }),
    );
  }

  /** INSTALL [for extradition] of an application to another domain. */
  extradite(application: Aid, to: Aid): Promise<AllowedCommand> {
    const data = encodeInstallForRegistry({
      securityDomain: aidBytes(to),
      application: aidBytes(application),
      privileges: NONE,
      parameters: this.#conditions(),
      token: NONE,
    });
    return this.#allow(gpCommand(INS.INSTALL, INSTALL_FOR.EXTRADITION, 0, data));
  }

  /** INSTALL of an applet, selectable at once; it then belongs to whoever sends the command. */
  installApplet(loadFile: Aid, module: Aid, instance: Aid): Promise<AllowedCommand> {
    return this.#allow(
      installCommand({
        loadFile: aidBytes(loadFile),
        module: aidBytes(module),
        instance: aidBytes(instance),
        privileges: 0,
        parameters: concatBytes(NO_PARAMETERS, this.#conditions()),
      }),
    );
  }

  /** DELETE of an applet, or of a domain that nothing belongs to any more. */
  remove(instance: Aid): Promise<AllowedCommand> {
    const data = concatBytes(encodeTlv(0x4f, aidBytes(instance)), this.#conditions());
    return this.#allow(gpCommand(INS.DELETE, 0, 0, data));
  }

  async #allow(command: CommandApdu): Promise<AllowedCommand> {
    const token = await this.#issuer.sign(tokenInput(command));
    const tokenDigest = createHash('sha256').update(token).digest('hex');
    return { command: attachToken(command, token), tokenDigest };
  }

  #conditions(): Uint8Array {
    return encodeTlv(
      0xb6,
      encodeTlv(0x42, this.#card.issuerIdentification),
      encodeTlv(0x45, this.#card.cardImageNumber),
      encodeTlv(0x93, this.#serialOf().subarray(0, SERIAL_BYTES)),
    );
  }
}
