import { useEffect, useState } from 'preact/hooks';

/** The page that the address names. */
export type Route =
  | { readonly page: 'overview' }
  | { readonly page: 'devices' }
  | { readonly page: 'device'; readonly endpoint: string }
  | { readonly page: 'keys' };

export function useRoute(): Route {
  const [route, setRoute] = useState(parse);
  useEffect(() => {
    const onChange = (): void => setRoute(parse());
    addEventListener('hashchange', onChange);
    return () => removeEventListener('hashchange', onChange);
  }, []);
  return route;
}

export function deviceAddress(endpoint: string): string {
  return `#/devices/${encodeURIComponent(endpoint)}`;
}

function parse(): Route {
  const [, page, name] = location.hash.split('/');
  if (page === 'keys') return { page: 'keys' };
  if (page !== 'devices') return { page: 'overview' };
  return name === undefined || name === ''
    ? { page: 'devices' }
    : { page: 'device', endpoint: decoded(name) };
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
