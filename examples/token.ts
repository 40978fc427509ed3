import { join } from 'node:path';
import { AGENT_CLIENT_ID, SIDEGATE_RESOURCE } from './issuer/clients.ts';
import { signIn } from './issuer/sign-in.ts';
import { runningQuickStart } from './quick-start/state-directory.ts';

/**
 * Prints an access token for a user of the running quick start, as an MCP client would get one: `npm run -s token alice`.
 * `SIDEGATE_QUICK_START_DIR` names the state directory when it is not `.sidegate`.
 */
const [user] = process.argv.slice(2);
const directory = process.env['SIDEGATE_QUICK_START_DIR'] ?? join(import.meta.dirname, '../.sidegate');
const running = runningQuickStart(directory);
try {
  if (user === undefined) throw new Error('usage: npm run -s token <user>');
  if (running === undefined) throw new Error(`no quick start is running in ${directory}: start one with npm start`);
  const token = await signIn({ issuer: running.issuer, clientId: AGENT_CLIENT_ID, resource: SIDEGATE_RESOURCE, user });
  process.stdout.write(`${token}\n`);
} catch (error) {
  process.stderr.write(`token: ${(error as Error).message}\n`);
  process.exitCode = 1;
}
