import { createServer } from 'node:http';
import { readSettings, setting } from '../../runtime/env.ts';
import { runUntilSignal } from '../../runtime/lifecycle.ts';
import { listen } from '../../runtime/listen.ts';
import { createLogger } from '../../runtime/logger.ts';
import { address, formatAddress, text, url } from '../../runtime/setting-types.ts';
import { handleInteraction, INTERACTION_PATH } from './login-page.ts';
import { createIssuer } from './provider.ts';

/** The example OpenID Connect issuer as a process. Development only: anybody who reaches it may sign in as anybody. */
const settings = {
  listen: setting({
    env: 'ISSUER_LISTEN',
    schema: address,
    default: '127.0.0.1:9500',
    meaning: 'Where the issuer listens; also its name.',
  }),
  ticketsResource: setting({
    env: 'ISSUER_TICKETS_RESOURCE',
    schema: url,
    meaning: 'URL of the ticket server, the audience of its tokens.',
  }),
  credentialStoreSecret: setting({
    env: 'ISSUER_CREDENTIAL_STORE_SECRET',
    schema: text,
    meaning: 'Secret of the credential store client.',
  }),
};

const logger = createLogger('example-issuer', 'info');

await runUntilSignal(logger, 2_000, async (onStop) => {
  const { listen: where, ...options } = readSettings(settings, process.env);
  const issuer = `http://${formatAddress(where)}`;
  const provider = await createIssuer({ issuer, ...options });
  const serve = provider.callback();
  const server = createServer((request, response) => {
    if (!request.url?.startsWith(INTERACTION_PATH)) {
      serve(request, response);
      return;
    }
    handleInteraction(provider, request, response).catch((error: Error) => {
      logger.warn({ err: error }, 'sign-in failed');
      if (!response.headersSent) response.writeHead(400);
      response.end('This sign-in is over. Start again.');
    });
  });
  await listen(server, where, 'ISSUER_LISTEN');
  onStop(() => {
    server.close();
    server.closeAllConnections();
  });
  logger.info({ issuer }, 'issuer is ready');
});
