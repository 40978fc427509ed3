import { z } from 'zod';

/** A TCP address to listen on or connect to. Port 0 means any free port. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Reads `host:port`, `[v6]:port` or `:port` (every interface). */
export const address = z.string().transform((text, context): Address => {
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([^:\s]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) {
    context.addIssue(`"${text}" is not host:port`);
    return z.NEVER;
  }
  return { host: match[1] ?? (match[2] || '::'), port };
});

export function formatAddress({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** A whole number within bounds, for sizes (`_BYTES`), times (`_MS`) and counts. */
export function wholeNumber(min: number, max: number): z.ZodType<number, string | undefined> {
  return z
    .string()
    .regex(/^\d+$/, 'not a whole number')
    .transform(Number)
    .pipe(z.number().min(min, `must be at least ${min}`).max(max, `must be at most ${max}`));
}

export const text = z.string();
export const optionalText = z.string().optional();
export const url = z.string().refine((value) => URL.canParse(value), 'not a URL');
export const optionalUrl = url.optional();

export function oneOf<const T extends readonly [string, ...string[]]>(values: T): z.ZodType<T[number], string | undefined> {
  return z.enum(values, `must be one of: ${values.join(', ')}`) as unknown as z.ZodType<T[number], string | undefined>;
}
