import { INS, STATUS_WORD } from '@sefleet/globalplatform';
import type { Answer } from '../applets/applet.ts';
import { orRefuse, refuse } from '../card/refusal.ts';
import { processByApplet } from './applet-commands.ts';
import { requireProprietaryClass } from './command-context.ts';
import type { CommandContext, Handler } from './command-context.ts';
import { deleteObject } from './delete.ts';
import { getData } from './get-data.ts';
import { getStatus } from './get-status.ts';
import { install } from './install.ts';
import { load } from './load.ts';
import { putKey } from './put-key.ts';
import { externalAuthenticate, initializeUpdate } from './secure-channel.ts';
import { internalAuthenticate, mutualAuthenticate, performSecurityOperation } from './scp11.ts';
import { manageChannel, select } from './select.ts';
import { setStatus } from './set-status.ts';
import { storeData } from './store-data.ts';

/** Commands of class 80 that a Security Domain carries out. */
const DOMAIN_COMMANDS: Readonly<Record<number, Handler>> = {
  [INS.INITIALIZE_UPDATE]: initializeUpdate,
  [INS.EXTERNAL_AUTHENTICATE]: (context) =>
    context.channel.pending === undefined ? mutualAuthenticate(context) : externalAuthenticate(context),
  [INS.INTERNAL_AUTHENTICATE]: internalAuthenticate,
  [INS.PERFORM_SECURITY_OPERATION]: performSecurityOperation,
  [INS.INSTALL]: install,
  [INS.LOAD]: load,
  [INS.DELETE]: deleteObject,
  [INS.PUT_KEY]: putKey,
  [INS.STORE_DATA]: storeData,
  [INS.GET_STATUS]: getStatus,
  [INS.SET_STATUS]: setStatus,
};

/** Commands of class 80 by which an application's Security Domain serves it. */
const CHANNEL_COMMANDS: Readonly<Record<number, Handler>> = {
  [INS.INITIALIZE_UPDATE]: initializeUpdate,
  [INS.EXTERNAL_AUTHENTICATE]: externalAuthenticate,
};

/**
 * Finds who carries a command out: the card itself, the selected Security Domain or the selected application.
 */
export function execute(context: CommandContext): Answer {
  const { command, channel, tx } = context;
  if (command.cla === 0x00 && command.ins === INS.SELECT && command.p1 === 0x04) return select(context);
  if (command.cla === 0x00 && command.ins === INS.MANAGE_CHANNEL) return manageChannel(context);
  const entry = channel.selected === undefined ? undefined : tx.find(channel.selected);
  const selected = orRefuse(entry, STATUS_WORD.COMMAND_NOT_ALLOWED);
  if (selected.kind === 'application') {
    const handler = command.cla === 0x80 ? CHANNEL_COMMANDS[command.ins] : undefined;
    return handler === undefined ? processByApplet(context, selected) : handler(context);
  }
  if (command.ins === INS.GET_DATA) return getData(context);
  if (command.ins === INS.SELECT) refuse(STATUS_WORD.FUNCTION_NOT_SUPPORTED);
  const handler = orRefuse(DOMAIN_COMMANDS[command.ins], STATUS_WORD.INS_NOT_SUPPORTED);
  // STORE DATA of hosts in the field comes in the interindustry class as well.
  if (command.ins !== INS.STORE_DATA) requireProprietaryClass(command);
  return handler(context);
}
