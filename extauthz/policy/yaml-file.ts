import { type Document, isMap, isScalar, LineCounter, type Node, parseDocument } from 'yaml';
import type { z } from 'zod';
import { fail, ok, type Result } from '../api/result.ts';
import type { TextFile } from './bundle-files.ts';
import { plainWords } from './plain-words.ts';
import { type BundleProblem, problem } from './problem.ts';

type Path = readonly PropertyKey[];

/** A YAML file that has the shape its schema asks for. */
export interface YamlFile<T> {
  readonly file: string;
  readonly value: T;
  /** 1-based line of the value at `path`, or of its nearest existing ancestor. */
  lineOf(path: Path): number;
}

/** Reads one YAML 1.2 document against a zod schema; every deviation becomes a problem with its line. */
export function readYaml<T>(source: TextFile, schema: z.ZodType<T>): Result<YamlFile<T>, readonly BundleProblem[]> {
  const lines = new LineCounter();
  const document = parseDocument(source.text, { lineCounter: lines });
  // Warnings (an unknown tag, for example) leave values other than the author meant, so they refuse the file like errors.
  const faults = [...document.errors, ...document.warnings];
  if (faults.length > 0) {
    return fail(faults.map((fault) => problem(source.path, lines.linePos(fault.pos[0]).line, firstLine(fault.message))));
  }

  let value: unknown;
  try {
    value = document.toJS();
  } catch (cause) {
    return fail([problem(source.path, undefined, `the YAML cannot be expanded: ${firstLine((cause as Error).message)}`)]);
  }
  const lineOf = (path: Path): number => lines.linePos(startOf(document, path)).line;
  const parsed = schema.safeParse(value, { error: plainWords });
  if (parsed.success) return ok({ file: source.path, value: parsed.data, lineOf });
  return fail(parsed.error.issues.flatMap((issue) => problemsOf(source.path, issue, lineOf)));
}

function problemsOf(file: string, issue: z.core.$ZodIssue, lineOf: (path: Path) => number): BundleProblem[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const path = [...issue.path, key];
      return problem(file, lineOf(path), `${written(path)}: unknown key`);
    });
  }
  const where = issue.path.length === 0 ? (issue.message.startsWith('must ') ? 'the file ' : '') : `${written(issue.path)}: `;
  return [problem(file, lineOf(issue.path), `${where}${issue.message}`)];
}

/** `agents[0].namespace` */
function written(path: Path): string {
  return path.map((part, index) => (typeof part === 'number' ? `[${part}]` : `${index === 0 ? '' : '.'}${String(part)}`)).join('');
}

/** 1-based line of the value at `path` in a JSON text, which is YAML too; parsed for this alone, since only a refused file needs it. */
export function lineInJson(text: string, path: Path): number {
  const lines = new LineCounter();
  return lines.linePos(startOf(parseDocument(text, { lineCounter: lines, logLevel: 'silent' }), path)).line;
}

function startOf(document: Document.Parsed, path: Path): number {
  let node: Node | null | undefined = document.contents;
  let start = node?.range?.[0] ?? 0;
  for (const part of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(part));
      if (pair === undefined) break;
      start = (pair.key as Node).range?.[0] ?? start;
      node = pair.value as Node | null;
    } else {
      const item: Node | undefined = (node as { items?: Node[] } | null | undefined)?.items?.[Number(part)];
      if (item === undefined) break;
      start = item.range?.[0] ?? start;
      node = item;
    }
  }
  return start;
}

function firstLine(message: string): string {
  return message.split('\n', 1)[0]?.replace(/ at line \d+, column \d+:?$/, '') ?? message;
}
