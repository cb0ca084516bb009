import { serviceError } from '../../errors.ts';

/** A page of one server. */
interface Page<T> {
  readonly items: readonly T[];
  readonly next: string;
}

/**
 * Pages of one server after the other, in the order of their names: a token says which server, and its own
 * token.
 *
 * @param servers asks each for a page, by its name
 * @throws SefleetError `LWM2M_PAGE_TOKEN_INVALID`
 */
export async function walkPages<T>(
  token: string,
  servers: ReadonlyMap<string, (token: string) => Promise<Page<T>>>,
): Promise<Page<T>> {
  const names = [...servers.keys()].toSorted();
  const [name = '', inner = ''] = token === '' ? [names[0]] : fromToken(token);
  for (let index = names.indexOf(name); index >= 0 && index < names.length; index++) {
    const current = names[index] ?? '';
    const { items, next } = (await servers.get(current)?.(current === name ? inner : '')) ?? NOTHING;
    if (next !== '') return { items, next: toToken(current, next) };
    const following = names[index + 1];
    if (items.length > 0) return { items, next: following === undefined ? '' : toToken(following, '') };
  }
  if (!names.includes(name))
    throw serviceError('LWM2M_PAGE_TOKEN_INVALID', 'page_token is not one of this fleet');
  return NOTHING;
}

const NOTHING = { items: [], next: '' };

function toToken(name: string, inner: string): string {
  return Buffer.from(`${name} ${inner}`, 'utf8').toString('base64url');
}

function fromToken(token: string): readonly string[] {
  return Buffer.from(token, 'base64url').toString('utf8').split(' ');
}
