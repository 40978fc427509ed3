import type { IncomingMessage } from 'node:http';
import { fail, ok, type Result } from '../extauthz/api/result.ts';
import { type Refusal, rejected } from './denial.ts';

/** Fields that must not be sent twice: two readers could pick different ones. */
const SINGLE_FIELDS: ReadonlySet<string> = new Set([
  'host',
  'origin',
  'authorization',
  'proxy-authorization',
  'dpop',
  'content-type',
  'content-length',
  'content-encoding',
  'mcp-session-id',
  'last-event-id',
]);

/** A bit for each of them. */
const SINGLE_BITS: ReadonlyMap<string, number> = new Map([...SINGLE_FIELDS].map((name, index) => [name, 1 << index]));
/** Bit n: one of them has n characters. All have fewer than 31. */
const SINGLE_LENGTHS = [...SINGLE_FIELDS].reduce((bits, name) => bits | (1 << name.length), 0);
const MAX_SINGLE_LENGTH = 30;

const LOOPBACK_HOST = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/i;
const LOOPBACK_ORIGIN = /^https?:\/\/(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/i;

/**
 * Refuses what a web page or a confused client could send to the loopback port: a foreign `Host` or `Origin`
 * (DNS rebinding; MCP transports, Security Warning) and fields sent twice.
 */
export function checkFields(request: IncomingMessage): Result<undefined, Refusal> {
  const { rawHeaders } = request;
  let seen = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const { length } = rawHeaders[index] as string;
    if (length > MAX_SINGLE_LENGTH || (SINGLE_LENGTHS & (1 << length)) === 0) continue;
    const name = (rawHeaders[index] as string).toLowerCase();
    const bit = SINGLE_BITS.get(name) ?? 0;
    if ((seen & bit) !== 0) return fail(rejected('malformed', 400, `the ${name} field is sent twice`));
    seen |= bit;
  }
  const { host, origin } = request.headers;
  const authority = proxiedAuthority(request);
  if (authority !== undefined && host !== authority) {
    return fail(rejected('foreign_origin', 403, 'the Host field must name the host of the request’s target'));
  }
  if (authority === undefined && (host === undefined || !LOOPBACK_HOST.test(host))) {
    return fail(rejected('foreign_origin', 403, 'the Host field must name localhost'));
  }
  if (origin !== undefined && !LOOPBACK_ORIGIN.test(origin)) {
    return fail(rejected('foreign_origin', 403, 'the Origin field names another site'));
  }
  return ok(undefined);
}

/**
 * The authority that a client names which uses the sidecar as its HTTP proxy (absolute form, RFC 9112 section 3.2.2); a page in a browser cannot send
 * one. Which servers may be reached so is for routing to say.
 */
function proxiedAuthority({ url = '' }: IncomingMessage): string | undefined {
  return /^https?:\/\//.test(url) && URL.canParse(url) ? new URL(url).host : undefined;
}

/** Whether the client uses the sidecar as its HTTP proxy: it names its server by the server's own URL. */
export function isCaptured(request: IncomingMessage): boolean {
  return proxiedAuthority(request) !== undefined;
}

let lastField = '';
let lastToken = '';

/** The token in `Authorization: Bearer` (RFC 6750 section 2.1), or in the field that is for proxies alone (RFC 9110 section 11.7.2); empty when there is none. */
export function bearerToken({ headers }: IncomingMessage, field: 'authorization' | 'proxy-authorization'): string {
  const sent = headers[field] ?? '';
  // An agent sends the same one with every message, and looking up a string again that was looked up before is quicker.
  if (sent !== lastField) {
    lastToken = /^Bearer +([\w\-.~+/]+=*) *$/i.exec(sent)?.[1] ?? '';
    lastField = sent;
  }
  return lastToken;
}

/** Reads a whole body of at most `maxBytes`. Settles as soon as the limit is passed, without reading on. */
export function readBody(request: IncomingMessage, maxBytes: number): Promise<Result<Buffer, Refusal>> {
  const tooLarge = () => rejected('too_large', 413, `the message is larger than ${maxBytes} bytes`);
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) return Promise.resolve(fail(tooLarge()));
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let length = 0;
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > maxBytes) {
        request.pause();
        resolve(fail(tooLarge()));
      } else chunks.push(chunk);
    });
    request.on('end', () => resolve(ok(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, length))));
    // The connection broke off: nobody is left to answer, and nothing is forwarded.
    request.on('close', () => resolve(fail(rejected('too_slow', 400, 'the message broke off'))));
  });
}
