import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { StartupError } from '../../../runtime/lifecycle.ts';

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
    manifest = fileURLToPath(import.meta.resolve('@modelcontextprotocol/conformance/package.json'));
  } catch (error) {
    const reason = 'the suite @modelcontextprotocol/conformance is not installed, so NOTHING WAS CHECKED; `npm ci` installs it';
    throw new StartupError(reason, { cause: error });
  }
  const directory = dirname(manifest);
  const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };
  return { directory, program: join(directory, 'dist/index.js'), version };
}
