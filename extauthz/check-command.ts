import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { fail, ok, type Result } from './api/result.ts';
import { formatProblem } from './bundle-source.ts';
import { createPolicyEngine } from './policy/engine.ts';
import type { BundleProblem } from './policy/problem.ts';
import { schemaText } from './policy/schema-text.ts';
import { listBundleDirectory, readBundleFiles } from './read-bundle-directory.ts';

export const CHECK_HELP = `Usage: sidegate extauthz check DIR [--print-schema]

Loads a policy bundle as the policy service would and says what is wrong with it, one "file:line: reason" a line.
Exits with 0 when the bundle would be taken, with 1 when it would be refused.

  --print-schema  print the Cedar schema that the bundle's policies are written against
`;

export interface CheckReport {
  /** For standard output. */
  readonly output: string;
  /** For standard error: problems and warnings. */
  readonly remarks: string;
  readonly accepted: boolean;
}

/**
 * Reads the arguments of `check`.
 * @throws the TypeError of `parseArgs` for options that do not exist.
 */
export function parseCheckCommand(args: readonly string[]): Result<{ directory: string; printSchema: boolean }, string> {
  const { values, positionals } = parseArgs({ args: [...args], options: { 'print-schema': { type: 'boolean' } }, allowPositionals: true });
  const [directory, ...others] = positionals;
  if (directory === undefined) return fail('check: which directory?');
  return others.length > 0
    ? fail(`check: one directory at a time, not "${others[0]}" as well`)
    : ok({ directory, printSchema: values['print-schema'] === true });
}

/** Checks the bundle in a directory. */
export function checkBundle(directory: string, printSchema: boolean): CheckReport {
  const lines = (problems: readonly BundleProblem[]) =>
    problems.map((each) => `${formatProblem({ ...each, file: each.file === '' ? directory : join(directory, each.file) })}\n`).join('');
  const refused = (problems: readonly BundleProblem[], output = ''): CheckReport => ({ output, remarks: lines(problems), accepted: false });

  const listing = listBundleDirectory(directory);
  if (!listing.ok) return refused([listing.failure]);
  const files = readBundleFiles(directory, listing.value);
  if (!files.ok) return refused([files.failure]);
  const schema = printSchema ? schemaText(files.value) : undefined;
  const loaded = createPolicyEngine().load(files.value);
  const schemaOutput = schema?.ok === true ? schema.value : '';
  if (!loaded.ok) return refused(loaded.failure, schemaOutput);
  const { revision, servers, warnings } = loaded.value;
  const summary = `ok: revision ${revision}, ${servers.size} ${servers.size === 1 ? 'server' : 'servers'}\n`;
  return { output: printSchema ? schemaOutput : summary, remarks: lines(warnings), accepted: true };
}
