import { get as getHttp } from 'node:http';
import { get as getHttps } from 'node:https';
import { rotatingFile } from '../../runtime/files.ts';
import type { FetchKeys } from './remote-keys.ts';

const MAX_BODY_BYTES = 1_048_576;

export interface FetchOptions {
  /** PEM file with the certificate authorities to trust instead of the system's, for example the cluster's own. */
  readonly caFile?: string | undefined;
  /** File with a bearer token to send: the Kubernetes API shows its keys only to service accounts. */
  readonly tokenFile?: string | undefined;
  /** The one URL whose origin may see that token. */
  readonly tokenFor?: string | undefined;
  /** The settings that named the two files, for messages. */
  readonly namedBy: { readonly caFile: string; readonly tokenFile: string };
  readonly now: () => number;
}

/**
 * A fetch for key sets and discovery documents: GET only, no redirects, bounded answers, its own trust and credential.
 * @throws {StartupError} when a file cannot be read at start.
 */
export function fetchKeysWith({ caFile, tokenFile, tokenFor, namedBy, now }: FetchOptions): FetchKeys {
  const ca = caFile === undefined ? undefined : rotatingFile(caFile, namedBy.caFile, now);
  const token = tokenFile === undefined ? undefined : rotatingFile(tokenFile, namedBy.tokenFile, now);
  return (url, { headers, signal }) => {
    const { promise, resolve, reject } = Promise.withResolvers<Response>();
    const secure = url.startsWith('https:');
    const fields = Object.fromEntries(headers);
    // A credential must not travel in the clear, nor to a host that a discovery document names.
    if (token !== undefined && secure && tokenFor !== undefined && new URL(url).origin === new URL(tokenFor).origin)
      fields['authorization'] = `Bearer ${token()}`;
    const options = { headers: fields, signal, ...(ca !== undefined && secure ? { ca: ca() } : {}) };
    const request = (secure ? getHttps : getHttp)(url, options, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        bytes += chunk.length;
        if (bytes > MAX_BODY_BYTES) response.destroy(new Error(`${url} answered more than ${MAX_BODY_BYTES} bytes`));
      });
      response.on('error', reject);
      response.on('end', () => {
        const status = response.statusCode ?? 0;
        if (status === 200) resolve(new Response(Buffer.concat(chunks), { status }));
        else reject(new Error(`${url} answered ${status}`));
      });
    });
    request.on('error', reject);
    return promise;
  };
}
