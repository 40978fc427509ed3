import { parseArgs } from 'node:util';
import { fail, ok, type Result } from './api/result.ts';

export const CHECK_HELP = `Usage: sidegate extauthz check DIR [--print-schema]

Loads a policy bundle as the policy service would and says what is wrong with it, one "file:line: reason" a line.
Exits with 0 when the bundle would be taken, with 1 when it would be refused.

  --print-schema  print the Cedar schema that the bundle's policies are written against
`;

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
