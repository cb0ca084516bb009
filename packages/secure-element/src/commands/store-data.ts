import { concatBytes } from '@sefleet/bytes';
import {
  aesCbcDecrypt,
  DATA_OBJECT,
  decodeDgis,
  decodeTlvs,
  requireTlv,
  SCENARIO2B_DGI,
  SCENARIO3_DGI,
  SECURITY_DOMAIN_LIFE_CYCLE,
  STORE_DATA,
  STATUS_WORD,
  ZERO_BLOCK,
} from '@sefleet/globalplatform';
import type { Dgi, Tlv } from '@sefleet/globalplatform';
import type { Answer, AppletContext } from '../applets/applet.ts';
import type { Application, SecurityDomain } from '../card/card-state.ts';
import { orRefuse, refuse } from '../card/refusal.ts';
import { checkMemory } from '../registry/memory.ts';
import { allowListOf, isAllowList } from './allow-list.ts';
import { appletContext } from './applet-commands.ts';
import { performingDomain } from './authorization.ts';
import { NO_DATA, requireSession, requireUnlockedCard } from './command-context.ts';
import type { CommandContext } from './command-context.ts';
import { isMadeByCard, readCertificateSelector } from './get-data.ts';
import { agreeOnKeys } from './key-agreement.ts';
import { takeDeliveredKeys } from './key-delivery.ts';
import { isRecordAccount, storeRecordAccount } from './store-account.ts';
import { storeKeyGroupings } from './store-keys.ts';

/** Data of one personalisation, over all its commands. */
const MAX_STORED_BYTES = 16_384;
/** Data objects of one Security Domain. */
const MAX_OBJECTS = 32;
const FORMAT = 0x18;

/** STORE DATA (GPCS 2.3.1 §11.11), for the selected domain or for the application that it personalises. */
export function storeData(context: CommandContext): Answer {
  const { command, channel, tx } = context;
  requireUnlockedCard(context);
  const domain = performingDomain(context);
  const data = collect(context);
  const last = (command.p1 & STORE_DATA.LAST) !== 0;
  const target =
    channel.personalizing === undefined
      ? undefined
      : orRefuse(tx.find(channel.personalizing), STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  // It may have gone to another domain meanwhile.
  if (target !== undefined && target.parent !== domain.aid) refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  if (target?.kind === 'application') {
    if (!last) return NO_DATA;
    channel.storing = undefined;
    return storeInApplet(context, target, data);
  }
  // A domain below the selected one, before it has keys of its own.
  const addressed = target ?? domain;
  if (target !== undefined && target.lifeCycle !== SECURITY_DOMAIN_LIFE_CYCLE.SELECTABLE) {
    return refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  }
  const complete = isComplete(data, command.p1);
  if (!complete) return last ? refuse(STATUS_WORD.WRONG_DATA) : NO_DATA;
  const answer = storeInDomain(context, addressed, data);
  if (channel.storing !== undefined) channel.storing = { parts: [], next: channel.storing.next, length: 0 };
  if (last) channel.storing = undefined;
  return answer;
}

/** The data so far; block numbers count up from 0 without gaps. */
function collect({ command, channel }: CommandContext): Uint8Array {
  const storing = command.p2 === 0 ? { parts: [], next: 0, length: 0 } : channel.storing;
  if (storing === undefined || storing.next !== command.p2) {
    channel.storing = undefined;
    return refuse(STATUS_WORD.INCORRECT_P1_P2);
  }
  storing.parts.push(command.data.slice());
  storing.length += command.data.length;
  storing.next = command.p2 + 1;
  channel.storing = storing;
  if (storing.length > MAX_STORED_BYTES) {
    channel.storing = undefined;
    return refuse(STATUS_WORD.NOT_ENOUGH_MEMORY);
  }
  return concatBytes(...storing.parts);
}

function isComplete(data: Uint8Array, p1: number): boolean {
  try {
    if ((p1 & FORMAT) === STORE_DATA.DGI) decodeDgis(data);
    else decodeTlvs(data);
    return true;
  } catch {
    // Truncated so far; the next block may complete it.
    return false;
  }
}

function storeInDomain(context: CommandContext, domain: SecurityDomain, data: Uint8Array): Answer {
  if ((context.command.p1 & FORMAT) === STORE_DATA.DGI) {
    const dgis = decodeDgis(data);
    if (isAgreement(dgis)) return agreeOnKeys(context, domain, dgis);
    if (dgis[0]?.id === SCENARIO2B_DGI.PARAMETERS) return takeDeliveredKeys(context, domain, dgis);
    if (isRecordAccount(dgis)) return storeRecordAccount(context, domain, dgis);
    return storeKeyGroupings(context, domain, dgis);
  }
  const given = decodeTlvs(data);
  let objects = domain.objects;
  for (const { tag, value } of placed(given)) {
    if (isMadeByCard(tag)) refuse(STATUS_WORD.WRONG_DATA);
    objects = [...objects.filter((object) => object.tag !== tag), { tag, value: value.slice() }];
  }
  if (objects.length > MAX_OBJECTS) refuse(STATUS_WORD.NOT_ENOUGH_MEMORY);
  context.tx.put({ ...domain, objects });
  checkMemory(context.tx.state, context.card, domain.aid);
  return NO_DATA;
}

/** What is stored, and where. */
function placed(given: readonly Tlv[]): readonly Tlv[] {
  if (isAllowList(given)) return [allowListOf(given)];
  return isCertificateStore(given) ? certificatesOf(given) : given;
}

/** Certificates for one key (GPC_SPE_093 §7.4): A6 names the key, BF21 carries them. */
function isCertificateStore(given: readonly Tlv[]): boolean {
  return given.length === 2 && given[0]?.tag === 0xa6 && given[1]?.tag === DATA_OBJECT.CERTIFICATE_STORE;
}

function certificatesOf(given: readonly Tlv[]): readonly Tlv[] {
  return [{ tag: readCertificateSelector(given), value: requireTlv(given, DATA_OBJECT.CERTIFICATE_STORE) }];
}

function isAgreement(dgis: readonly Dgi[]): boolean {
  return dgis[0]?.id === SCENARIO3_DGI.CERTIFICATE || dgis[0]?.id === SCENARIO3_DGI.PARAMETERS;
}

function storeInApplet(context: CommandContext, application: Application, data: Uint8Array): Answer {
  const program = orRefuse(context.card.program(application.module), STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  if (program.store === undefined) return refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  const applet: AppletContext<unknown> = appletContext(context, application, decryptor(context));
  const answer = program.store(data, context.command.p1, applet);
  checkMemory(context.tx.state, context.card, application.parent);
  return answer;
}

function decryptor(context: CommandContext): (blocks: Uint8Array) => Uint8Array | undefined {
  const { dek } = requireSession(context).messaging.keys;
  return (blocks) =>
    blocks.length === 0 || blocks.length % 16 !== 0 ? undefined : aesCbcDecrypt(dek, ZERO_BLOCK, blocks);
}
