import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fetchKeysWith } from '../../../extauthz/identity/fetch-keys.ts';
import { createServerCertificate } from '../../support/certificates.ts';

const NAMED_BY = { caFile: 'CA_SETTING', tokenFile: 'TOKEN_SETTING' };

describe('fetching keys from a cluster', () => {
  const directory = mkdtempSync(join(tmpdir(), 'sidegate-fetch-'));
  const at = (name: string) => join(directory, name);
  const servers: Server[] = [];
  const seen: (string | undefined)[] = [];
  let secure = '';
  let plain = '';

  const handler = ({ headers, url }: IncomingMessage, response: ServerResponse) => {
    seen.push(headers.authorization);
    if (url === '/large') return void response.end(Buffer.alloc(1_048_577));
    if (url === '/elsewhere') return void response.writeHead(302, { location: '/jwks' }).end();
    response.end('{"keys":[]}');
  };
  const listen = async (server: Server) => {
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  };

  before(async () => {
    const { certPem, keyPem, caPem } = await createServerCertificate();
    writeFileSync(at('ca.crt'), caPem);
    writeFileSync(at('other.crt'), (await createServerCertificate()).caPem);
    writeFileSync(at('token'), 'service-account-token\n');
    secure = `https://127.0.0.1:${await listen(createServer({ cert: certPem, key: keyPem }, handler))}`;
    plain = `http://127.0.0.1:${await listen(createHttpServer(handler))}`;
  });
  after(() => {
    for (const server of servers) server.close();
    rmSync(directory, { recursive: true });
  });

  const get = async (url: string, files: { caFile?: string; tokenFile?: string } = {}, tokenFor = `${secure}/jwks`) => {
    seen.length = 0;
    const fetch = fetchKeysWith({ ...files, tokenFor, namedBy: NAMED_BY, now: Date.now });
    const response = await fetch(url, { method: 'GET', headers: new Headers(), redirect: 'manual', signal: AbortSignal.timeout(2_000) });
    return response.text();
  };
  const both = { caFile: at('ca.crt'), tokenFile: at('token') };

  it('trusts the named authority and shows the token', async () => {
    assert.equal(await get(`${secure}/jwks`, both), '{"keys":[]}');
    assert.deepEqual(seen, ['Bearer service-account-token']);
  });

  it('trusts no other authority, and shows nothing before it trusts', async () => {
    await assert.rejects(get(`${secure}/jwks`, { ...both, caFile: at('other.crt') }), /certificate/);
    await assert.rejects(get(`${secure}/jwks`, { tokenFile: at('token') }), /certificate/);
    assert.deepEqual(seen, []);
  });

  it('shows the token to nobody else, and never in the clear', async () => {
    await get(`${secure}/jwks`, both, 'https://kubernetes.default.svc/openid/v1/jwks');
    assert.deepEqual(seen, [undefined]);
    await get(`${plain}/jwks`, both, `${plain}/jwks`);
    assert.deepEqual(seen, [undefined]);
  });

  it('follows no redirect and takes no endless answer', async () => {
    await assert.rejects(get(`${secure}/elsewhere`, both), /answered 302/);
    await assert.rejects(get(`${secure}/large`, both), /more than 1048576 bytes/);
  });

  it('says at start which setting names a file that is not there', () => {
    assert.throws(() => fetchKeysWith({ caFile: at('none'), namedBy: NAMED_BY, now: Date.now }), /^StartupError: CA_SETTING: cannot read /);
    assert.throws(
      () => fetchKeysWith({ tokenFile: at('none'), namedBy: NAMED_BY, now: Date.now }),
      /^StartupError: TOKEN_SETTING: cannot read /,
    );
  });
});
