import { z } from 'zod';
import { fail, ok, type Result } from '../api/result.ts';
import { parseStrictJson } from '../api/strict-json.ts';
import { inputTypeOf, type RecordType } from './input-type.ts';
import { plainWords } from './plain-words.ts';
import { type BundleProblem, problem } from './problem.ts';
import { lineInJson } from './yaml-file.ts';

/** A tool as its server declared it when the catalogue was saved: the operator's reviewed copy, not what the server says today. */
export interface Tool {
  readonly name: string;
  /** `annotations.readOnlyHint`; false when not given (MCP's default). */
  readonly readOnly: boolean;
  /** `annotations.destructiveHint`; true when not given (MCP's default), and never for a read-only tool. */
  readonly destructive: boolean;
  /** What policy can read of the arguments, or undefined when the input schema cannot be expressed. */
  readonly input: RecordType | undefined;
}

/** Tools by name. */
export type ToolCatalogue = ReadonlyMap<string, Tool>;

const toolSchema = z.object({
  name: z
    .string()
    .min(1)
    .refine((name) => name.isWellFormed(), 'must be valid Unicode'),
  inputSchema: z.custom<object>((value) => typeof value === 'object' && value !== null && !Array.isArray(value), 'must be an object'),
  annotations: z.object({ readOnlyHint: z.boolean().optional(), destructiveHint: z.boolean().optional() }).optional(),
});

/** Reads a saved `tools/list` answer: an array of tools, the result object, or the whole JSON-RPC response. */
export function readCatalogue(file: string, bytes: Uint8Array): Result<ToolCatalogue, readonly BundleProblem[]> {
  const parsed = parseStrictJson(bytes, { maxNodes: Number.POSITIVE_INFINITY }); // the operator's own file
  if (!parsed.ok) {
    const line = Buffer.from(bytes).subarray(0, parsed.failure.offset).toString('latin1').split('\n').length;
    return fail([problem(file, line, `the file is not usable JSON: ${parsed.failure.detail}`)]);
  }
  const problems: BundleProblem[] = [];
  const refuse = (path: readonly PropertyKey[], reason: string): void => {
    problems.push(problem(file, lineInJson(Buffer.from(bytes).toString('utf8'), path), reason));
  };

  const listed = toolsOf(parsed.value.value);
  if (!listed.ok) {
    refuse(listed.failure.path, listed.failure.reason);
    return fail(problems);
  }
  const catalogue = new Map<string, Tool>();
  for (const [index, item] of listed.value.tools.entries()) {
    const path = [...listed.value.path, index];
    const tool = toolSchema.safeParse(item, { error: plainWords });
    if (!tool.success) {
      for (const issue of tool.error.issues)
        refuse(
          [...path, ...issue.path],
          `tool ${index + 1}${issue.path.length === 0 ? '' : `, ${issue.path.join('.')}`}: ${issue.message}`,
        );
      continue;
    }
    const { name, annotations, inputSchema } = tool.data;
    if (catalogue.has(name)) refuse([...path, 'name'], `a tool named ${JSON.stringify(name)} is listed twice`);
    const readOnly = annotations?.readOnlyHint ?? false;
    const destructive = !readOnly && (annotations?.destructiveHint ?? true);
    catalogue.set(name, { name, readOnly, destructive, input: inputTypeOf(inputSchema) });
  }
  return problems.length > 0 ? fail(problems) : ok(catalogue);
}

interface Listed {
  readonly tools: readonly unknown[];
  /** Where the list sits in the file. */
  readonly path: readonly PropertyKey[];
}

function toolsOf(saved: unknown): Result<Listed, { readonly path: readonly PropertyKey[]; readonly reason: string }> {
  if (Array.isArray(saved)) return ok({ tools: saved, path: [] });
  const outer = member(saved, 'result') === undefined ? [] : ['result'];
  const result = member(saved, 'result') ?? saved;
  // Tools on the pages that were not saved would silently count as undeclared.
  if (member(result, 'nextCursor') !== undefined) {
    return fail({
      path: [...outer, 'nextCursor'],
      reason: 'the file holds one page of several (nextCursor is set); save all tools in one list',
    });
  }
  const tools = member(result, 'tools');
  if (Array.isArray(tools)) return ok({ tools, path: [...outer, 'tools'] });
  return fail({ path: outer, reason: 'the file must hold a list of tools, a tools/list result, or a whole tools/list response' });
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
}
