import { serviceError } from '../../errors.ts';

const PAGE_SIZE = 100;
const PAGE_SIZE_MAX = 1000;

/** The size of a page that a caller asks for. @throws SefleetError `LWM2M_REQUEST_INVALID` */
export function pageSizeOf(asked: number): number {
  if (asked > PAGE_SIZE_MAX)
    throw serviceError('LWM2M_REQUEST_INVALID', `page_size is 1 to ${PAGE_SIZE_MAX}`);
  return asked === 0 ? PAGE_SIZE : asked;
}

/** The token of the page behind an endpoint name. */
export function toPageToken(endpoint: string): string {
  return Buffer.from(endpoint, 'utf8').toString('base64url');
}

/** The endpoint name of a token. @throws SefleetError `LWM2M_PAGE_TOKEN_INVALID` */
export function fromPageToken(token: string): string {
  const endpoint = Buffer.from(token, 'base64url').toString('utf8');
  if (toPageToken(endpoint) !== token) {
    throw serviceError('LWM2M_PAGE_TOKEN_INVALID', 'page_token is not one of this service');
  }
  return endpoint;
}
