import type { Confirmation } from '@sefleet/globalplatform';
import type { SecurityDomain } from './card-state.ts';

/** On whose word a card content management command is carried out. */
export interface Authority {
  readonly domain: SecurityDomain;
  /** True when it was a token that allowed it: a receipt is due then. */
  readonly delegated: boolean;
  readonly token: Confirmation['token'] | undefined;
}
