/** Builds `dist/` for release: the sources as JavaScript, and the `.proto` files beside the code that loads them. */
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, rmSync } from 'node:fs';

rmSync('dist', { recursive: true, force: true });
execFileSync('tsc', ['-p', 'tsconfig.build.json'], { stdio: 'inherit' });
cpSync('extauthz/api/proto', 'dist/extauthz/api/proto', { recursive: true });
// Fills the compile cache that `bin/sidegate.ts` reads.
for (const noun of ['sidecar', 'extauthz', 'injector'])
  execFileSync(process.execPath, ['dist/bin/sidegate.js', noun, '--help'], { stdio: 'ignore' });
chmodSync('dist/bin/sidegate.js', 0o755);
