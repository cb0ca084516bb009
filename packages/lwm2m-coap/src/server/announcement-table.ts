import { parseRegistrationUpdate } from '@sefleet/lwm2m';
import type { Announcement } from './registration.ts';

/** Announcements kept to be shared; a fleet has a handful, an adversary as many as it likes. */
const SHARED_MAX = 4096;

/**
 * Parses registration bodies, and gives devices that announce the same one object to share: fleets are
 * uniform.
 */
export class AnnouncementTable {
  #byLinks = new Map<string, Announcement>();

  /**
   * The announcement of a body in link format.
   *
   * @throws SefleetError `LWM2M_BAD_REQUEST`
   */
  parse(payload: Uint8Array): Announcement {
    const links = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('utf8');
    const known = this.#byLinks.get(links);
    if (known !== undefined) return known;
    const { rootPath = '/', contentFormats = [], objects = [] } = parseRegistrationUpdate([], payload);
    const announcement = { links, rootPath, contentFormats, objects };
    // Those who hold one of the forgotten keep it; only sharing starts anew.
    if (this.#byLinks.size >= SHARED_MAX) this.#byLinks = new Map();
    this.#byLinks.set(links, announcement);
    return announcement;
  }
}
