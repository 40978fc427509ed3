import type { HttpRequest } from '../api/envoy-protos.ts';

/** The header fields of a checked request. */
export interface HeaderFields {
  /** Every value sent under a lower-case name. One that a proxy joined from several is one value, with commas. */
  all(name: string): readonly string[];
  /** The value; several values become one with commas, as a proxy would join them, so that no single-value syntax accepts them. */
  get(name: string): string | undefined;
}

/** Reads whichever of the two forms the proxy uses: `header_map` when it encodes raw headers, else `headers`. */
export function headerFields({ headers, headerMap }: HttpRequest): HeaderFields {
  const fields = new Map<string, string[]>();
  const add = (name: string, value: string) => {
    const values = fields.get(name.toLowerCase());
    if (values === undefined) fields.set(name.toLowerCase(), [value]);
    else values.push(value);
  };
  const raw = headerMap?.headers ?? [];
  if (raw.length > 0)
    for (const { key, value, rawValue } of raw) add(key, rawValue.length > 0 ? Buffer.from(rawValue).toString('latin1') : value);
  else for (const [name, value] of Object.entries(headers)) add(name, value);
  return {
    all: (name) => fields.get(name) ?? [],
    get: (name) => fields.get(name)?.join(', '),
  };
}
