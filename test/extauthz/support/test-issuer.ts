import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, type JWTHeaderParameters, type JWTPayload, SignJWT } from 'jose';

/** A real HTTP issuer: discovery, keys that can be rotated, and an outage at will. */
export interface TestIssuer {
  readonly url: string;
  readonly jwksUri: string;
  /** The keys it publishes. */
  jwks(): { keys: JWK[] };
  /** Signs with the newest key; a header or claim given as undefined is left out. */
  sign(claims: JWTPayload, header?: Partial<JWTHeaderParameters>): Promise<string>;
  /** Publishes a new key. The old ones stay unless they are withdrawn. */
  rotate(options?: { withdraw: boolean }): Promise<void>;
  /** From now on: answers as usual, with status 500, or not at all. */
  behave(how: 'well' | 'broken' | 'hanging'): void;
  /** How often the keys were asked for. */
  readonly keyRequests: number;
  close(): Promise<void>;
}

export async function startTestIssuer(alg: 'ES256' | 'RS256' | 'EdDSA' = 'ES256'): Promise<TestIssuer> {
  const keys: { kid: string; privateKey: CryptoKey; jwk: JWK }[] = [];
  let made = 0;
  let behaviour: 'well' | 'broken' | 'hanging' = 'well';
  let keyRequests = 0;

  const addKey = async () => {
    const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
    const kid = `key-${++made}`;
    keys.push({ kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } });
  };
  await addKey();
  const jwks = () => ({ keys: keys.map(({ jwk }) => jwk) });

  const server = createServer((request, response) => {
    if (request.url === '/jwks') keyRequests += 1;
    if (behaviour === 'hanging') return;
    if (behaviour === 'broken') return void response.writeHead(500).end('no');
    if (request.url === '/jwks') return void response.setHeader('content-type', 'application/json').end(JSON.stringify(jwks()));
    if (request.url === '/.well-known/openid-configuration')
      return void response.end(JSON.stringify({ issuer: url, jwks_uri: `${url}/jwks` }));
    response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  return {
    url,
    jwksUri: `${url}/jwks`,
    jwks,
    async sign(claims, header = {}) {
      const key = keys.at(-1);
      if (key === undefined) throw new Error('the issuer has no key');
      const { privateKey, kid } = key;
      return new SignJWT(claims).setProtectedHeader({ alg, kid, typ: 'JWT', ...header } as JWTHeaderParameters).sign(privateKey);
    },
    async rotate({ withdraw } = { withdraw: false }) {
      if (withdraw) keys.length = 0;
      await addKey();
    },
    behave(how) {
      behaviour = how;
    },
    get keyRequests() {
      return keyRequests;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export const USER_AUDIENCE = 'sidegate';
export const WORKLOAD_AUDIENCE = 'sidegate-policy';

export function nowS(): number {
  return Math.floor(Date.now() / 1_000);
}

/** Claims of a good user token. */
export function userClaims(issuer: TestIssuer, changes: JWTPayload = {}): JWTPayload {
  return { iss: issuer.url, aud: USER_AUDIENCE, sub: 'alice', groups: ['support'], iat: nowS(), exp: nowS() + 600, ...changes };
}

/** Claims of a good projected service-account token. */
export function workloadClaims(issuer: TestIssuer, changes: JWTPayload = {}): JWTPayload {
  return {
    iss: issuer.url,
    aud: [WORKLOAD_AUDIENCE],
    sub: 'system:serviceaccount:agents:helpdesk',
    'kubernetes.io': { namespace: 'agents', serviceaccount: { name: 'helpdesk', uid: 'u1' }, pod: { name: 'helpdesk-0', uid: 'u2' } },
    iat: nowS(),
    nbf: nowS(),
    exp: nowS() + 3_600,
    ...changes,
  };
}
