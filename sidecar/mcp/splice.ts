import type { Span } from '../../extauthz/api/json-structure.ts';

/** Replaces the bytes at `span`; an empty span inserts. */
export interface Edit {
  readonly span: Span;
  readonly text: string;
}

/** The bytes with every edit made and all others as they were. Edits come in order and do not overlap; without any, `bytes` itself is returned. */
export function splice(bytes: Uint8Array, edits: readonly Edit[]): Uint8Array {
  if (edits.length === 0) return bytes;
  const pieces: Uint8Array[] = [];
  let copied = 0;
  for (const { span, text } of edits) {
    if (span.start < copied || span.end < span.start || span.end > bytes.length) throw new RangeError('edits overlap or lie outside');
    if (span.start > copied) pieces.push(bytes.subarray(copied, span.start));
    if (text !== '') pieces.push(Buffer.from(text));
    copied = span.end;
  }
  pieces.push(bytes.subarray(copied));
  return Buffer.concat(pieces);
}
