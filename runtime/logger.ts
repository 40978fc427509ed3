import { type Logger, pino } from 'pino';

export type { Logger };

/**
 * A string that must not be logged. It prints as `[secret]` wherever it is converted to text or JSON;
 * only `reveal()` gives the value, so each use is visible in the source.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return '[secret]';
  }

  toJSON(): string {
    return '[secret]';
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '[secret]';
  }
}

const SECRET_FIELDS = [
  'authorization',
  'cookie',
  'set-cookie',
  'proxy-authorization',
  'x-api-key',
  'token',
  'userToken',
  'user_token',
  'access_token',
  'refresh_token',
  'client_secret',
  'password',
  'setHeaders',
  'set_headers',
];

/** Of an error its own words only: libraries hang whole requests and unparsed bytes on theirs. */
function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return { message: String(error) };
  const { name, message, stack, cause } = error;
  const { code } = error as NodeJS.ErrnoException;
  return {
    type: name,
    message,
    ...(code === undefined ? {} : { code }),
    stack,
    ...(cause === undefined ? {} : { cause: describeError(cause) }),
  };
}

/** The process's logger: JSON lines on standard error, with well-known secret fields removed at two depths. */
export function createLogger(component: string, level: string, destination?: { write(line: string): void }): Logger {
  const paths = SECRET_FIELDS.flatMap((field) => {
    const quoted = `["${field}"]`;
    return [quoted, `*${quoted}`, `*.*${quoted}`];
  });
  return pino(
    {
      level,
      base: { component },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths, censor: '[secret]' },
      serializers: { err: describeError },
    },
    destination ?? pino.destination({ dest: 2, sync: true }),
  );
}
