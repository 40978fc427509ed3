import { createServer, type Server } from 'node:http';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { listen } from '../../../runtime/listen.ts';
import { GROUP } from './bundle.ts';

/** Stands in for the company's identity provider: one user, one token, one key. */
export interface Issuer {
  readonly issuer: string;
  readonly jwksUri: string;
  readonly userToken: string;
  close(): void;
}

const KEY_ID = 'bench';

export async function startIssuer(): Promise<Issuer> {
  const { publicKey, privateKey } = await generateKeyPair('RS256');
  const jwks = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), alg: 'RS256', use: 'sig', kid: KEY_ID }] });
  const server: Server = createServer((_request, response) => response.writeHead(200, { 'content-type': 'application/json' }).end(jwks));
  const { port } = await listen(server, { host: '127.0.0.1', port: 0 }, 'the benchmark’s issuer');
  const issuer = `http://127.0.0.1:${port}`;
  const userToken = await new SignJWT({ groups: [GROUP] })
    .setProtectedHeader({ alg: 'RS256', kid: KEY_ID })
    .setIssuer(issuer)
    .setSubject('bench-user')
    .setAudience('sidegate')
    .setIssuedAt()
    .setExpirationTime('2h')
    .sign(privateKey);
  return {
    issuer,
    jwksUri: `${issuer}/jwks`,
    userToken,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
