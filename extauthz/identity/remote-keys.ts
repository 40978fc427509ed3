import { createLocalJWKSet, createRemoteJWKSet, customFetch, errors } from 'jose';
import type { Logger } from '../../runtime/logger.ts';
import type { KeySource } from './keys.ts';
import { KeysUnavailable } from './keys.ts';

/** What jose asks of a fetch function. */
export type FetchKeys = (
  url: string,
  init: { headers: Headers; method: 'GET'; redirect: 'manual'; signal: AbortSignal },
) => Promise<Response>;

/** Least time between two reloads because of a key id that is not known. */
const COOLDOWN_MS = 30_000;
const MAX_AGE_MS = 600_000;
const TIMEOUT_MS = 2_000;
/** After a failed fetch, tokens are not held up by the next one for this long. */
const FAILURE_PAUSE_MS = 1_000;
/** How long a token waits for keys that are due again; after that the old keys must do. Well under a sidecar's decision timeout. */
const REFRESH_WAIT_MS = 250;
/** The issuer may be unreachable this long before its keys stop counting. */
const STALE_MS = 3_600_000;

export interface RemoteKeysOptions {
  /** Either the JWK Set itself, or an issuer whose discovery document names it. */
  readonly from: { readonly jwksUri: string } | { readonly issuer: string };
  readonly fetch: FetchKeys;
  readonly now: () => number;
  readonly logger: Logger;
}

/** Keys fetched from the issuer, kept for ten minutes, and used up to an hour while the issuer cannot be reached. */
export function remoteKeys({ from, fetch, now, logger }: RemoteKeysOptions): KeySource {
  const url = 'jwksUri' in from ? from.jwksUri : discoveryUrl(from.issuer);
  let failedAt = Number.NEGATIVE_INFINITY;
  let loadedAt = Number.NEGATIVE_INFINITY;

  const fetchKeys: FetchKeys = async (target, init) => {
    if (now() - failedAt < FAILURE_PAUSE_MS) throw new KeysUnavailable(`${url} could not be fetched a moment ago`);
    try {
      const keysUrl = 'jwksUri' in from ? target : await discover(from.issuer, target, init, fetch);
      const keys = await fetchJson(keysUrl, init, fetch);
      // Read here, not by jose, so that an answer that holds no keys counts as a failure too.
      if (!Array.isArray(keys['keys'])) throw new KeysUnavailable(`${keysUrl} did not answer with a JWK Set`);
      loadedAt = now();
      return Response.json(keys);
    } catch (error) {
      failedAt = now();
      logger.warn({ url, reason: reasonOf(error) }, 'the issuer’s keys could not be fetched');
      throw error;
    }
  };
  const remote = createRemoteJWKSet(new URL(url), {
    cooldownDuration: COOLDOWN_MS,
    cacheMaxAge: MAX_AGE_MS,
    timeoutDuration: TIMEOUT_MS,
    [customFetch]: fetchKeys,
  });

  // At once, so that the first token does not wait. A failure is logged above, and tried again with that token.
  remote.reload().catch(() => {});

  let stale: { readonly loadedAt: number; readonly find: ReturnType<typeof createLocalJWKSet> } | undefined;
  const staleKeys = () => {
    const jwks = remote.jwks();
    if (jwks === undefined || now() - loadedAt > MAX_AGE_MS + STALE_MS) return undefined;
    if (stale?.loadedAt !== loadedAt) stale = { loadedAt, find: createLocalJWKSet(jwks) };
    return stale.find;
  };

  return async (header, token) => {
    try {
      const fallback = remote.fresh ? undefined : staleKeys();
      if (fallback !== undefined && !(await settlesWithin(remote.reload(), REFRESH_WAIT_MS))) return await fallback(header, token);
      return await remote(header, token);
    } catch (error) {
      if (isAboutTheToken(error)) throw error;
      throw new KeysUnavailable(`no keys from ${url}`, { cause: error });
    }
  };
}

/** OpenID Connect Discovery 1.0 section 4.1. */
function discoveryUrl(issuer: string): string {
  return `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
}

/** Reads `jwks_uri` from the discovery document, each time the keys are due, so that a moved key set is followed. */
async function discover(issuer: string, url: string, init: Parameters<FetchKeys>[1], fetch: FetchKeys): Promise<string> {
  const document = await fetchJson(url, init, fetch);
  if (document['issuer'] !== issuer) throw new KeysUnavailable(`${url} speaks for another issuer`);
  const jwksUri = document['jwks_uri'];
  if (typeof jwksUri !== 'string' || !URL.canParse(jwksUri)) throw new KeysUnavailable(`${url} names no jwks_uri`);
  // An issuer that is reached securely must not send us to keys that anyone on the way could replace.
  if (url.startsWith('https:') && !jwksUri.startsWith('https:')) throw new KeysUnavailable(`${url} names a jwks_uri without TLS`);
  return jwksUri;
}

async function fetchJson(url: string, init: Parameters<FetchKeys>[1], fetch: FetchKeys): Promise<Readonly<Record<string, unknown>>> {
  const response = await fetch(url, init);
  if (response.status !== 200) throw new KeysUnavailable(`${url} answered ${response.status}`);
  const body: unknown = await response.json();
  if (typeof body !== 'object' || body === null) throw new KeysUnavailable(`${url} did not answer with a JSON object`);
  return body as Record<string, unknown>;
}

/** One line. A host with several addresses fails with several errors, which all say the same. */
function reasonOf(error: unknown): string {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  return first instanceof Error ? first.message : String(first);
}

function isAboutTheToken(error: unknown): boolean {
  return (
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys ||
    error instanceof errors.JOSENotSupported
  );
}

/** True when the promise is fulfilled in time; false when it is late or rejected. */
async function settlesWithin(promise: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<false>();
  const timer = setTimeout(resolve, timeoutMs, false);
  const inTime = promise.then(
    () => true,
    () => false,
  );
  try {
    return await Promise.race([inTime, late]);
  } finally {
    clearTimeout(timer);
  }
}
