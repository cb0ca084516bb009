import { concatBytes } from '@sefleet/bytes';
import {
  CERTIFICATE_USAGE,
  decodeScenario3Parameters,
  decodeTlvs,
  deriveScenario3,
  encodeTlv,
  KEY_TYPE,
  requireTlv,
  requireUsage,
  SCENARIO3_DGI,
  SCENARIO3_PARAMETER,
  scenario3Receipt,
  scenario3Signed,
  STATUS_WORD,
  verifyCertificate,
  verifyGp,
} from '@sefleet/globalplatform';
import type { Dgi, Scenario3Parameters } from '@sefleet/globalplatform';
import type { Answer } from '../applets/applet.ts';
import { agree, P256 } from '../applets/iot-safe/curves.ts';
import type { SecurityDomain } from '../card/card-state.ts';
import type { PendingAgreement } from '../card/channel.ts';
import { orRefuse, refuse } from '../card/refusal.ts';
import { AUTHORITY_AGREEMENT_KEY, AUTHORITY_KEY, keyAt, verificationKey } from '../registry/special-keys.ts';
import { authorityDomain } from './authority-domain.ts';
import type { CommandContext } from './command-context.ts';
import { requireAllowed } from './allow-list.ts';
import { storeKeys } from './put-key.ts';

const CHALLENGE_LENGTH = 16;
const RANDOM_LENGTH = 16;
const LAST_VERSION = 0x7f;

/**
 * Key agreement with the Controlling Authority's Security Domain (GPC_SPE_007 §4.8, scenario #3): the first
 * command certifies the provider, the second agrees on the keys of `domain`. The challenge serves once.
 */
export function agreeOnKeys(context: CommandContext, domain: SecurityDomain, dgis: readonly Dgi[]): Answer {
  const [first] = dgis;
  if (first?.id === SCENARIO3_DGI.CERTIFICATE && dgis.length === 1)
    return certify(context, domain, first.data);
  const { channel } = context;
  const pending = channel.agreement;
  channel.agreement = undefined;
  if (pending?.kind !== 'scenario-3' || pending.domain !== domain.aid) {
    return refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  }
  return finish(context, domain, pending, dgis);
}

function certify(context: CommandContext, domain: SecurityDomain, certificate: Uint8Array): Answer {
  const { channel, card } = context;
  const vouching = authorityDomain(context);
  const authority = verificationKey(vouching, AUTHORITY_KEY);
  if (authority?.kind !== 'ec') return refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  const provider = verifyCertificate(certificate, authority.point);
  // The provider signs with this key; a host's certificate for sessions is not for that.
  requireUsage(provider, CERTIFICATE_USAGE.DIGITAL_SIGNATURE);
  requireAllowed(vouching, AUTHORITY_KEY, certificate);
  const challenge = card.rng.bytes(CHALLENGE_LENGTH);
  channel.agreement = {
    kind: 'scenario-3',
    domain: domain.aid,
    providerPoint: provider.publicKey.slice(),
    challenge,
  };
  return encodeTlv(0x85, challenge);
}

function finish(
  context: CommandContext,
  domain: SecurityDomain,
  pending: Extract<PendingAgreement, { kind: 'scenario-3' }>,
  dgis: readonly Dgi[],
): Answer {
  const data = (id: number): Uint8Array =>
    orRefuse(dgis.find((dgi) => dgi.id === id)?.data, STATUS_WORD.WRONG_DATA);
  const template = data(SCENARIO3_DGI.PARAMETERS);
  const ephemeral = data(SCENARIO3_DGI.EPHEMERAL_KEY);
  const signed = scenario3Signed(template, ephemeral, pending.challenge);
  if (!verifyGp({ kind: 'ec', point: pending.providerPoint }, signed, data(SCENARIO3_DGI.SIGNATURE))) {
    return refuse(STATUS_WORD.SECURITY_STATUS_NOT_SATISFIED);
  }
  const parameters = orRefuse(decodeScenario3Parameters(template), STATUS_WORD.WRONG_DATA);
  if (parameters.keyVersion < 1 || parameters.keyVersion > LAST_VERSION || parameters.keyId !== 1) {
    return refuse(STATUS_WORD.WRONG_DATA);
  }
  const own = keyAt(authorityDomain(context), AUTHORITY_AGREEMENT_KEY);
  if (own?.type !== KEY_TYPE.EC_PRIVATE) return refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  const point = requireTlv(decodeTlvs(ephemeral), KEY_TYPE.EC_PUBLIC);
  const secret = orRefuse(agree(P256, own.value, point), STATUS_WORD.WRONG_DATA);
  const random = wantsRandom(parameters) ? context.card.rng.bytes(RANDOM_LENGTH) : undefined;
  const { receiptKey, keys } = deriveScenario3(secret, parameters, random, issuerIdentification(context));
  const replaced = domain.keySets.some((set) => set.version === parameters.keyVersion);
  const values = [keys.enc, keys.mac, keys.dek];
  storeKeys(
    context,
    domain,
    { oldVersion: replaced ? parameters.keyVersion : 0, newVersion: parameters.keyVersion },
    values.map((value, i) => ({ id: i + 1, type: KEY_TYPE.AES, value })),
  );
  const receipt = encodeTlv(0x86, scenario3Receipt(receiptKey, template, random));
  return random === undefined ? receipt : concatBytes(encodeTlv(0x85, random), receipt);
}

function wantsRandom({ parameter }: Scenario3Parameters): boolean {
  return (parameter & SCENARIO3_PARAMETER.DERIVATION_RANDOM) !== 0;
}

function issuerIdentification({ tx }: CommandContext): Uint8Array | undefined {
  const [issuer] = tx.state.entries;
  if (issuer?.kind !== 'security-domain') return undefined;
  return issuer.objects.find((object) => object.tag === 0x42)?.value;
}
