import { join } from 'node:path';
import { formatProblem } from './bundle-source.ts';
import { createPolicyEngine } from './policy/engine.ts';
import type { BundleProblem } from './policy/problem.ts';
import { schemaText } from './policy/schema-text.ts';
import { listBundleDirectory, readBundleFiles } from './read-bundle-directory.ts';

export interface CheckReport {
  /** For standard output. */
  readonly output: string;
  /** For standard error: problems and warnings. */
  readonly remarks: string;
  readonly accepted: boolean;
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
