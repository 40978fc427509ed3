import type { DetailedError } from '@cedar-policy/cedar-wasm/nodejs';

/** One policy of a `.cedar` file, as written. */
export interface Statement {
  /** The policy with whatever stands before it (space, comments), up to and with its semicolon. */
  readonly text: string;
  /** 1-based line on which `text` starts. */
  readonly firstLine: number;
  /** 1-based line of the policy's first token. */
  readonly line: number;
}

/**
 * Cuts a Cedar policy file at the semicolons that end its policies.
 *
 * Every character ends up in some statement unless only space and comments follow the last semicolon; each statement is then parsed by
 * Cedar as exactly one policy. So a cut in the wrong place cannot lose a policy, it can only make the file fail to parse.
 */
export function splitStatements(source: string): readonly Statement[] {
  const statements: Statement[] = [];
  let start = 0;
  let firstToken: number | undefined;
  const push = (end: number): void => {
    const line = lineAt(source, firstToken ?? start);
    statements.push({ text: source.slice(start, end), firstLine: lineAt(source, start), line });
    start = end;
    firstToken = undefined;
  };
  for (const { text, offset } of tokensOf(source)) {
    firstToken ??= offset;
    if (text === ';') push(offset + 1);
  }
  if (firstToken !== undefined) push(source.length);
  return statements;
}

/** Words, strings and single other characters of Cedar source; space and comments (`//` to the end of the line) left out. */
export function* tokensOf(source: string): Generator<{ readonly text: string; readonly offset: number }> {
  for (const { 0: text, index } of source.matchAll(/\/\/[^\n\r]*|"(?:\\[\s\S]|[^"\\])*"|\w+|\s+|[\s\S]/g)) {
    if (!text.startsWith('//') && text.trim() !== '') yield { text, offset: index };
  }
}

/** 1-based line in the file of a place that Cedar gives as a byte offset into a statement's text. */
export function lineOfOffset(statement: Statement, byteOffset: number): number {
  const before = Buffer.from(statement.text, 'utf8').subarray(0, byteOffset).toString('utf8');
  return statement.firstLine + lineAt(before, before.length) - 1;
}

function lineAt(source: string, offset: number): number {
  let line = 1;
  for (let at = source.indexOf('\n'); at !== -1 && at < offset; at = source.indexOf('\n', at + 1)) line += 1;
  return line;
}

/** A string as a Cedar literal. Whatever is not plain printable ASCII becomes an escape, so that no name can end the literal. */
export function cedarString(value: string): string {
  const escaped = Array.from(value, (character) =>
    /^[\x20-\x7e]$/.test(character) && character !== '"' && character !== '\\'
      ? character
      : `\\u{${(character.codePointAt(0) as number).toString(16)}}`,
  );
  return `"${escaped.join('')}"`;
}

/** Cedar's own words for an error: its message without the boilerplate in front, and its advice. */
export function errorText({ message, help }: DetailedError): string {
  return help === null ? bare(message) : `${bare(message)} (${bare(help)})`;
}

function bare(text: string): string {
  return text.replace(/^failed to parse (policy|policies) from string: /, '').replace(/^for policy `[^`]*`[,:] /, '');
}
