#!/usr/bin/env node
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import { VERSION } from '../runtime/version.ts';

const USAGE = `sidegate ${VERSION}: a policy gate beside every AI agent

Usage:
  sidegate sidecar              run the sidecar of one pod
  sidegate sidecar stdio S      reach server S through the sidecar from a stdio client
  sidegate extauthz serve       run the policy service
  sidegate extauthz check DIR   check a policy bundle
  sidegate extauthz audit       read the audit trail
  sidegate injector serve       run the admission webhook
  sidegate injector inject -f F add the sidecar to a pod manifest
  sidegate injector certificates --out DIR
                                make the certificates of an installation

Settings are environment variables: see docs/configuration.md. Each command has --help.
`;

// A release has its code compiled beside it, since the build ran each noun once. A directory that cannot be written is left as it is.
if (import.meta.filename.endsWith('.js')) enableCompileCache(join(import.meta.dirname, '../.compile-cache'));
/** Each noun loads only its own code. */
const NOUNS: Readonly<Record<string, () => Promise<{ main(args: string[]): Promise<void> }>>> = {
  sidecar: () => import('../sidecar/main.ts'),
  extauthz: () => import('../extauthz/main.ts'),
  injector: () => import('../injector/main.ts'),
};

const [noun = '--help', ...args] = process.argv.slice(2);
if (noun === '--help' || noun === '-h' || noun === 'help') process.stdout.write(USAGE);
else if (noun === '--version') process.stdout.write(`${VERSION}\n`);
else if (Object.hasOwn(NOUNS, noun)) await NOUNS[noun]?.().then(({ main }) => main(args));
else {
  process.stderr.write(`sidegate: unknown command "${noun}"\n\n${USAGE}`);
  process.exitCode = 2;
}
