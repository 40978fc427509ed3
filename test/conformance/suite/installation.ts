import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { StartupError } from '../../../runtime/lifecycle.ts';

const SUITE = '@modelcontextprotocol/conformance';

/** The suite on this machine. */
export interface Installation {
  readonly directory: string;
  /** The program, for Node to run. */
  readonly program: string;
  readonly version: string;
}

/** @throws {StartupError} when it is not there: a run without it would prove nothing. */
export function findSuite(): Installation {
  let manifest: string;
  try {
    manifest = createRequire(import.meta.url).resolve(`${SUITE}/package.json`);
  } catch (error) {
    throw new StartupError(`the suite ${SUITE} is not installed, so NOTHING WAS CHECKED; \`npm ci\` installs it`, { cause: error });
  }
  const directory = dirname(manifest);
  const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };
  return { directory, program: join(directory, 'dist/index.js'), version };
}
