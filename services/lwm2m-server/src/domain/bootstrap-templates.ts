import { isSefleetError } from '@sefleet/errors';
import { CONTENT_FORMAT, decodeContent, Lwm2mPath } from '@sefleet/lwm2m';
import type { Lwm2mEntry, ModelRegistry } from '@sefleet/lwm2m';
import type { AuthorisedDevice, BootstrapConfiguration, BootstrapWrite } from '@sefleet/lwm2m-coap';
import { serviceError } from '../errors.ts';
import { hasKind, hasName } from './cohort.ts';
import type { Cohort } from './cohort.ts';
import { isText, JsonShape } from './json-shape.ts';

/** What a bootstrap does to the devices of a cohort beside writing their accounts. */
export interface BootstrapTemplate extends Cohort {
  readonly deletes: readonly Lwm2mPath[];
  readonly entries: readonly Lwm2mEntry[];
}

/**
 * Reads a template file: `{"templates": [{"kinds": [...], "endpoints": [...], "deletes": ["/9"], "senml":
 * [...]}]}`. The values are SenML JSON with whole paths. Every template that fits a device applies, in the
 * order of the file, so that later ones, made for a few devices, win over the ones for all.
 *
 * @throws SefleetError `LWM2M_TEMPLATE_FILE_INVALID`, naming the place
 */
export function parseBootstrapTemplates(text: string, models: ModelRegistry): readonly BootstrapTemplate[] {
  const { templates } = SHAPE.members(SHAPE.parse(text), 'the file', new Set(['templates']));
  const items = SHAPE.list(templates, 'templates', isAnything) ?? [];
  return items.map((item, index) => parseTemplate(item, `templates[${index}]`, models));
}

/** A configuration with what the fitting templates add to it. */
export function withTemplates(
  { deletes, writes, ...others }: BootstrapConfiguration,
  { endpoint, kind = '' }: AuthorisedDevice,
  templates: readonly BootstrapTemplate[],
): BootstrapConfiguration {
  const fitting = templates.filter((template) => hasKind(template, kind) && hasName(template, endpoint));
  const merged = new Map(writes.map((write) => [write.path.toString(), write]));
  for (const { entries } of fitting) for (const entry of entries) mergeEntry(merged, entry);
  const added = fitting.flatMap((template) => template.deletes);
  return { ...others, deletes: [...deletes, ...added], writes: [...merged.values()] };
}

function mergeEntry(writes: Map<string, BootstrapWrite>, entry: Lwm2mEntry): void {
  const path = new Lwm2mPath(entry.path.objectId, entry.path.instanceId);
  const key = path.toString();
  const others = (writes.get(key)?.entries ?? []).filter((other) => !entry.path.contains(other.path));
  writes.set(key, { path, entries: [...others, entry] });
}

const MEMBERS: ReadonlySet<string> = new Set(['kinds', 'endpoints', 'deletes', 'senml']);

const SHAPE = new JsonShape((message, cause) => invalid(message, cause));

function parseTemplate(value: unknown, place: string, models: ModelRegistry): BootstrapTemplate {
  const members = SHAPE.members(value, place, MEMBERS);
  const kinds = SHAPE.list(members['kinds'], `${place}.kinds`, isText);
  const endpoints = SHAPE.list(members['endpoints'], `${place}.endpoints`, isText);
  const deletes = SHAPE.list(members['deletes'], `${place}.deletes`, isPath) ?? [];
  const senml = SHAPE.list(members['senml'], `${place}.senml`, isAnything) ?? [];
  return {
    ...(kinds === undefined ? {} : { kinds: new Set(kinds) }),
    ...(endpoints === undefined ? {} : { endpoints }),
    deletes: deletes.map((path) => Lwm2mPath.parse(path)),
    entries: decodeEntries(senml, `${place}.senml`, models),
  };
}

function decodeEntries(
  senml: readonly unknown[],
  place: string,
  models: ModelRegistry,
): readonly Lwm2mEntry[] {
  if (senml.length === 0) return [];
  const payload = new TextEncoder().encode(JSON.stringify(senml));
  try {
    return decodeContent(CONTENT_FORMAT.SENML_JSON, Lwm2mPath.ROOT, payload, models);
  } catch (error) {
    if (isSefleetError(error)) throw invalid(`${place}: ${error.message}`, error);
    throw error;
  }
}

function isPath(item: unknown): item is string {
  return isText(item) && Lwm2mPath.tryParse(item) !== undefined;
}

function isAnything(item: unknown): item is unknown {
  return item !== undefined;
}

function invalid(message: string, cause: unknown): Error {
  return serviceError('LWM2M_TEMPLATE_FILE_INVALID', `bootstrap templates: ${message}`, {
    cause,
    hint: 'Correct the file that SEFLEET_BOOTSTRAP_TEMPLATES names.',
  });
}
