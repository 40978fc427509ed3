// Installs the locked dependencies when they are not there yet, so that `npm start` and `npm test` work on a fresh clone.
// Plain JavaScript without imports of ours: it runs on whatever Node the machine has, before anything is installed.
import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Time of the last change in milliseconds, or undefined when there is no such file. */
function changedAt(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs;
}

// npm writes the second file at the end of a complete installation; half of one does not count.
const locked = changedAt(join(root, 'package-lock.json'));
const installed = changedAt(join(root, 'node_modules', '.package-lock.json'));
if (locked === undefined) {
  process.stderr.write('package-lock.json is missing: this is no complete clone\n');
  process.exit(1);
}
if (installed === undefined || installed < locked) {
  process.stderr.write('Installing the locked dependencies (npm ci) ...\n');
  // Inside an npm script, npm says where it is and which Node runs it; the Node on PATH may be one that is about to be replaced.
  const { npm_execpath: npm, npm_node_execpath: node = process.execPath } = process.env;
  // Only errors: npm would warn that packages want a newer Node than the machine's, but every script runs on the Node that is being installed.
  const install = ['ci', '--loglevel=error'];
  const [command, ...options] = npm === undefined ? ['npm', ...install] : [node, npm, ...install];
  // Standard output belongs to the script that comes next, which may print one JSON document there.
  const run = spawnSync(command, options, { cwd: root, stdio: ['ignore', 2, 2], shell: npm === undefined && process.platform === 'win32' });
  if (run.status !== 0) {
    process.stderr.write(`npm ci failed${run.error ? `: ${run.error.message}` : ''}\n`);
    process.exit(run.status ?? 1);
  }
}
