/** A TCP address to listen on or connect to. Port 0 means any free port. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** What became of a setting's text. */
type Parsed<T> =
  | { readonly success: true; readonly data: T }
  | { readonly success: false; readonly error: { readonly issues: readonly { readonly message: string }[] } };

/**
 * Reads the text of one setting; undefined stands for a variable that is not set and has no default. Schemas of zod fit as well. Those here
 * are written by hand: sidecars are many, their settings are one word each, and zod would be a tenth of a sidecar's memory and start time.
 */
export interface SettingSchema<T> {
  safeParse(text: string | undefined): Parsed<T>;
}

const good = <T>(data: T): Parsed<T> => ({ success: true, data });
const bad = (message: string): Parsed<never> => ({ success: false, error: { issues: [{ message }] } });

/** A variable that is not set is a mistake. */
function required<T>(parse: (text: string) => Parsed<T>): SettingSchema<T> {
  return { safeParse: (text) => (text === undefined ? bad('is required') : parse(text)) };
}

function optional<T>(schema: SettingSchema<T>): SettingSchema<T | undefined> {
  return { safeParse: (text) => (text === undefined ? good(undefined) : schema.safeParse(text)) };
}

/** Reads `host:port`, `[v6]:port` or `:port` (every interface). */
export const address: SettingSchema<Address> = required((text) => {
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([^:\s]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) return bad(`"${text}" is not host:port`);
  return good({ host: match[1] ?? (match[2] || '::'), port });
});

export function formatAddress({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** A whole number within bounds, for sizes (`_BYTES`), times (`_MS`) and counts. */
export function wholeNumber(min: number, max: number): SettingSchema<number> {
  return required((text) => {
    if (!/^\d+$/.test(text)) return bad('not a whole number');
    const number = Number(text);
    if (number < min) return bad(`must be at least ${min}`);
    return number > max ? bad(`must be at most ${max}`) : good(number);
  });
}

export const text: SettingSchema<string> = required(good);
export const optionalText: SettingSchema<string | undefined> = optional(text);
export const url: SettingSchema<string> = required((value) => (URL.canParse(value) ? good(value) : bad('not a URL')));
export const optionalUrl: SettingSchema<string | undefined> = optional(url);

/** Header fields as OpenTelemetry's variables write them: `name=value,name=value`, values percent-encoded. */
export const optionalHeaders: SettingSchema<Readonly<Record<string, string>> | undefined> = optional(
  required((text) => {
    const headers: Record<string, string> = {};
    for (const pair of text.split(',')) {
      const [, name = '', value = ''] = /^\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*=\s*([\x21-\x7e]+)\s*$/.exec(pair) ?? [];
      if (name === '') return bad('not name=value,name=value');
      try {
        const decoded = decodeURIComponent(value);
        if (/[^\x20-\x7e]/.test(decoded)) return bad('a value has characters that no field may have');
        headers[name.toLowerCase()] = decoded;
      } catch {
        return bad('a value is not percent-encoded');
      }
    }
    return good(headers);
  }),
);

export function oneOf<const T extends readonly [string, ...string[]]>(values: T): SettingSchema<T[number]> {
  return required((value) => (values.includes(value) ? good(value) : bad(`must be one of: ${values.join(', ')}`)));
}
