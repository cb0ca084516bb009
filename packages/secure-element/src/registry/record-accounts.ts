import type { Application, CardState, RecordAccount, SecurityDomain } from '../card/card-state.ts';

/**
 * The domain whose account seals the records of `application`: the one that took it over at a cut-over, even
 * before the registry says so, or the one that it belongs to.
 */
export function servingDomain(state: CardState, application: Application): SecurityDomain | undefined {
  let own: SecurityDomain | undefined;
  for (const entry of state.entries) {
    if (entry.kind !== 'security-domain') continue;
    const grant = entry.account?.grant;
    if (grant?.active === true && grant.application === application.aid) return entry;
    if (entry.aid === application.parent) own = entry;
  }
  return own;
}

/** True when records can be sealed under the account: not closed, and not waiting for its instant. */
export function isInUse(account: RecordAccount): boolean {
  return !account.closed && account.grant?.active !== false;
}

/** `domain` with the grant that let it serve an application gone: that application is its own now. */
export function withoutServedGrant(domain: SecurityDomain, application: Application): SecurityDomain {
  const { account } = domain;
  if (account?.grant?.active !== true || account.grant.application !== application.aid) return domain;
  return { ...domain, account: { ...account, grant: undefined } };
}
