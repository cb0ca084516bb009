import { createHash } from 'node:crypto';
import { CODE } from '@sefleet/coap';
import type { CoapReply, CoapRequest } from '@sefleet/coap';
import { CONTENT_FORMAT } from '@sefleet/lwm2m';

/** Images that are offered at once. */
const IMAGES_MAX = 16;

/** Firmware images for devices that fetch them: `GET /fw/<SHA-256>`, blockwise. */
export class FirmwareImages {
  readonly #images = new Map<string, Uint8Array>();

  /** Offers an image. @returns its path on this server */
  offer(image: Uint8Array): string {
    const digest = createHash('sha256').update(image).digest('hex');
    this.#images.delete(digest);
    this.#images.set(digest, image);
    if (this.#images.size > IMAGES_MAX) {
      for (const oldest of this.#images.keys()) {
        this.#images.delete(oldest);
        break;
      }
    }
    return `/fw/${digest}`;
  }

  /** Answers a request of a device; undefined when it is none of ours. */
  handle({ method, segments }: CoapRequest): CoapReply | undefined {
    const [first, digest = '', ...rest] = segments;
    if (first !== 'fw') return undefined;
    const image = rest.length === 0 ? this.#images.get(digest) : undefined;
    if (image === undefined) return { code: CODE.NOT_FOUND };
    if (method !== 'GET') return { code: CODE.METHOD_NOT_ALLOWED };
    const etag = Buffer.from(digest.slice(0, 16), 'hex');
    return { code: CODE.CONTENT, payload: image, contentFormat: CONTENT_FORMAT.OPAQUE, etag };
  }
}
