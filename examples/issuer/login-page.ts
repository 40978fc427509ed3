import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import type { Provider } from 'oidc-provider';
import { ACCOUNTS, accountById } from './accounts.ts';

export const INTERACTION_PATH = '/interaction/';

function page(): string {
  const buttons = ACCOUNTS.map(({ id, groups }) => `<button name="user" value="${id}">${id} (${groups.join(', ')})</button>`);
  return `<!doctype html><meta charset="utf-8"><title>Example issuer</title>
<h1>Sign in as</h1><form method="post">${buttons.join(' ')}</form>`;
}

/**
 * The issuer's login page: one button a user. A browser presses it; the headless sign-in posts the same form.
 * The provider checks, by its signed cookie, that the answer comes from whoever started the sign-in.
 */
export async function handleInteraction(provider: Provider, request: IncomingMessage, response: ServerResponse): Promise<void> {
  await provider.interactionDetails(request, response);
  if (request.method !== 'POST') {
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(page());
    return;
  }
  const user = new URLSearchParams(await text(request)).get('user') ?? '';
  if (accountById(user) === undefined) {
    response
      .writeHead(400, { 'content-type': 'text/plain' })
      .end(`no user "${user}"; there are: ${ACCOUNTS.map(({ id }) => id).join(', ')}`);
    return;
  }
  await provider.interactionFinished(request, response, { login: { accountId: user } });
}
