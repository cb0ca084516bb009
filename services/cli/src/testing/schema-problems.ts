/** The part of JSON Schema (draft 2020-12) that the project's schemas use; another keyword is a problem. */
interface Schema {
  readonly [keyword: string]: unknown;
}

const ANNOTATIONS = new Set(['$schema', '$id', '$defs', 'title', 'description', 'format']);

/** Where a value breaks a schema, and how; nothing when it keeps it. */
export function schemaProblems(value: unknown, schema: Schema, root: Schema = schema, at = '$'): string[] {
  const reference = schema['$ref'];
  if (typeof reference === 'string')
    return schemaProblems(value, asSchema(resolve(root, reference)), root, at);
  return Object.entries(schema).flatMap(([keyword, rule]) => {
    if (ANNOTATIONS.has(keyword)) return [];
    switch (keyword) {
      case 'type':
        return hasType(value, rule) ? [] : [`${at} is no ${String(rule)}`];
      case 'enum':
        return Array.isArray(rule) && rule.includes(value) ? [] : [`${at} is none of the allowed`];
      case 'pattern':
        return new RegExp(String(rule)).test(String(value)) ? [] : [`${at} does not match`];
      case 'minimum':
        return Number(value) >= Number(rule) ? [] : [`${at} is too small`];
      case 'maximum':
        return Number(value) <= Number(rule) ? [] : [`${at} is too large`];
      case 'required':
        return (Array.isArray(rule) ? rule : [])
          .filter((name) => !Object.hasOwn(asSchema(value), String(name)))
          .map((name) => `${at}.${String(name)} is missing`);
      case 'items':
        return (Array.isArray(value) ? value : []).flatMap((item: unknown, i) =>
          schemaProblems(item, asSchema(rule), root, `${at}[${i}]`),
        );
      case 'properties':
        return Object.entries(asSchema(rule)).flatMap(([name, inner]) =>
          Object.hasOwn(asSchema(value), name)
            ? schemaProblems(asSchema(value)[name], asSchema(inner), root, `${at}.${name}`)
            : [],
        );
      case 'additionalProperties':
        return Object.entries(asSchema(value))
          .filter(([name]) => !Object.hasOwn(asSchema(schema['properties']), name))
          .flatMap(([name, inner]) =>
            rule === false
              ? [`${at}.${name} is not known`]
              : schemaProblems(inner, asSchema(rule), root, `${at}.${name}`),
          );
      default:
        return [`${at}: the keyword ${keyword} is not understood`];
    }
  });
}

function hasType(value: unknown, type: unknown): boolean {
  if (type === 'integer') return Number.isInteger(value);
  if (type === 'array') return Array.isArray(value);
  if (type === 'object') return typeof value === 'object' && value !== null && !Array.isArray(value);
  return typeof value === type;
}

function resolve(root: Schema, reference: string): unknown {
  const names = reference.replace(/^#\//, '').split('/');
  return names.reduce<unknown>((inner, name) => asSchema(inner)[name], root);
}

function asSchema(value: unknown): Schema {
  return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value)) : {};
}
