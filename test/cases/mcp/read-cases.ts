import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

/** Bytes in a case file: their text, their hexadecimal digits, or arrays nested so many times. */
export interface CaseBytes {
  readonly text?: string;
  readonly hex?: string;
  readonly nesting?: number;
}

/** Reads a case file: one list, each entry with a name that says what is at stake. */
export function readCases<Case extends { readonly name: string }>(file: string): readonly Case[] {
  const cases = parse(readFileSync(new URL(file, import.meta.url), 'utf8')) as Case[];
  const names = new Set(cases.map(({ name }) => name));
  if (names.size === 0 || names.size !== cases.length) throw new Error(`${file}: no cases, or two of one name`);
  return cases;
}

export function bytesOf({ text, hex, nesting }: CaseBytes): Buffer {
  if (text !== undefined) return Buffer.from(text);
  if (hex !== undefined) return Buffer.from(hex.replaceAll(' ', ''), 'hex');
  if (nesting !== undefined) return Buffer.from('['.repeat(nesting) + ']'.repeat(nesting));
  throw new Error('a case needs text, hex or nesting');
}
