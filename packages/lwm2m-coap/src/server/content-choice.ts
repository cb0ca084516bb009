import { CONTENT_FORMAT } from '@sefleet/lwm2m';
import type { ContentFormat, Lwm2mPath } from '@sefleet/lwm2m';
import type { Registration } from './registration.ts';

/**
 * Formats that carry whole trees, in the order in which we like them: the most compact that is common first.
 */
const TREE_FORMATS: readonly ContentFormat[] = [
  CONTENT_FORMAT.SENML_CBOR,
  CONTENT_FORMAT.LWM2M_CBOR,
  CONTENT_FORMAT.TLV,
  CONTENT_FORMAT.SENML_JSON,
];

/** The format for values that are sent to a device: one that it announced, else its version's own. */
export function treeFormat({ version, announcement }: Registration): ContentFormat {
  const announced = TREE_FORMATS.find((format) => announcement.contentFormats.includes(format));
  if (announced !== undefined) return announced;
  return version === '1.0' ? CONTENT_FORMAT.TLV : CONTENT_FORMAT.SENML_CBOR;
}

/**
 * The format to ask for in a Read; undefined leaves it to the device, as LwM2M 1.0 has it for single
 * resources.
 */
export function readFormat(registration: Registration, path: Lwm2mPath): ContentFormat | undefined {
  const single = path.depth >= 3;
  return single && registration.version === '1.0' ? undefined : treeFormat(registration);
}

/**
 * The format of composite operations, which need SenML (Core §7.4); with removals in it the SenML-ETCH form.
 */
export function compositeFormat({ announcement }: Registration, removals: boolean): ContentFormat {
  const { contentFormats } = announcement;
  const json =
    contentFormats.includes(CONTENT_FORMAT.SENML_JSON) && !contentFormats.includes(CONTENT_FORMAT.SENML_CBOR);
  if (json) return removals ? CONTENT_FORMAT.SENML_ETCH_JSON : CONTENT_FORMAT.SENML_JSON;
  return removals ? CONTENT_FORMAT.SENML_ETCH_CBOR : CONTENT_FORMAT.SENML_CBOR;
}
