import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { StartupError } from '../../runtime/lifecycle.ts';

export const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url));

/**
 * Compiles the sources as a release does, and gives the command line that runs them: memory and start time with TypeScript sources
 * would be those of the type stripper. The result lies in the cache folder of `node_modules`, where its imports resolve.
 * @throws {StartupError} when the sources do not compile.
 */
export function builtSidegate(): readonly [string, string] {
  const directory = join(REPOSITORY, 'node_modules/.cache/sidegate-bench');
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const tsc = join(REPOSITORY, 'node_modules/.bin/tsc');
  const { status, stdout } = spawnSync(tsc, ['-p', join(REPOSITORY, 'tsconfig.build.json'), '--noCheck', '--outDir', directory], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new StartupError(`the sources do not compile:\n${stdout}`);
  cpSync(join(REPOSITORY, 'extauthz/api/proto'), join(directory, 'extauthz/api/proto'), { recursive: true });
  writeFileSync(join(directory, 'package.json'), '{"type":"module"}\n');
  const command = [process.execPath, join(directory, 'bin/sidegate.js')] as const;
  // Fills the compile cache, as the build of a release does.
  for (const noun of ['sidecar', 'extauthz']) spawnSync(command[0], [command[1], noun, '--help']);
  return command;
}
