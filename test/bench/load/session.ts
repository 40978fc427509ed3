import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { type CallKind, type CallTarget, clientFields, INITIALIZE, INITIALIZED } from '../messages.ts';

/**
 * Opens a session of the revisions that have them, and gives the id that the gateway gave it.
 * @throws {Error} when the answer is not the one that the upstream server gives.
 */
export function openSession(kind: CallKind, { host, port, path, userToken }: CallTarget): Promise<string> {
  const headers = clientFields(kind, userToken).flatMap((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon), line.slice(colon + 2)];
  });
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host,
        port,
        path,
        method: 'POST',
        agent: false,
        headers: ['Host', `${host}:${port}`, 'Content-Length', String(INITIALIZE.length), ...headers],
      },
      async (response) => {
        const body = await text(response);
        const sessionId = response.headers['mcp-session-id'];
        if (body === INITIALIZED && typeof sessionId === 'string') resolve(sessionId);
        else reject(new Error(`no session: HTTP ${response.statusCode}, ${body.slice(0, 300)}`));
      },
    );
    outgoing.once('error', reject);
    outgoing.end(INITIALIZE);
  });
}
