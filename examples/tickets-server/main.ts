import { readSettings, setting } from '../../runtime/env.ts';
import { runUntilSignal } from '../../runtime/lifecycle.ts';
import { listen } from '../../runtime/listen.ts';
import { createLogger } from '../../runtime/logger.ts';
import { address, formatAddress, url } from '../../runtime/setting-types.ts';
import { createTicketsServer, MCP_PATH } from './http.ts';
import { createTokenVerifier } from './token-verifier.ts';

/** The example ticket server as a process. It knows the issuer and nothing of Sidegate. */
const settings = {
  listen: setting({
    env: 'TICKETS_LISTEN',
    schema: address,
    default: '127.0.0.1:9501',
    meaning: 'Where the server listens; its URL is the audience of its tokens.',
  }),
  issuer: setting({ env: 'TICKETS_ISSUER', schema: url, default: 'http://127.0.0.1:9500', meaning: 'Issuer of the tokens it accepts.' }),
};

const logger = createLogger('example-tickets', 'info');

await runUntilSignal(logger, 2_000, async (onStop) => {
  const { listen: where, issuer } = readSettings(settings, process.env);
  const resource = new URL(`http://${formatAddress(where)}${MCP_PATH}`);
  const verifier = createTokenVerifier({ issuer, jwksUri: `${issuer}/jwks`, audience: resource.href });
  const server = createTicketsServer(verifier, resource);
  await listen(server, where, 'TICKETS_LISTEN');
  onStop(() => {
    server.close();
    server.closeAllConnections();
  });
  logger.info({ url: resource.href }, 'ticket server is ready');
});
