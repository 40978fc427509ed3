import cedar from '@cedar-policy/cedar-wasm/nodejs';
import { ok, type Result } from '../api/result.ts';
import { sortFiles } from './bundle-files.ts';
import { cedarSchemaOf } from './cedar-schema.ts';
import type { BundleProblem } from './problem.ts';
import { readRegistry } from './registry.ts';

/**
 * The Cedar schema a bundle's policies are written against, as text. Needs the registry alone, so that it can be had while the policies
 * are still wrong.
 */
export function schemaText(files: ReadonlyMap<string, Uint8Array>): Result<string, readonly BundleProblem[]> {
  const registry = readRegistry(sortFiles(files).files);
  if (!registry.ok) return registry;
  const answer = cedar.schemaToText(cedarSchemaOf(registry.value));
  if (answer.type === 'failure') throw new Error(`the generated schema has no text form: ${answer.errors[0]?.message}`);
  return ok(answer.text.replaceAll(BUILTIN_PREFIX, '$1').replaceAll(EMPTY_RECORD, '$1{}'));
}

const ATTRIBUTE = String.raw`^\s+(?:"(?:[^"\\]|\\.)*"|\w+)\??: `;
/** Cedar prints `__cedar::String` where `String` says the same, as no entity type of ours takes a built-in type's name. */
const BUILTIN_PREFIX = new RegExp(`(${ATTRIBUTE}(?:Set<)*)__cedar::`, 'gm');
/** And a record without attributes with a gap inside. */
const EMPTY_RECORD = new RegExp(`(${ATTRIBUTE})\\{ +\\}`, 'gm');
