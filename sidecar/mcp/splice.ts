import type { Span } from '../../extauthz/api/json-structure.ts';

/** Replaces the bytes at `span`; an empty span inserts. */
export interface Edit {
  readonly span: Span;
  readonly text: string;
}

/** The bytes with every edit made and all others as they were. Edits come in order and do not overlap; without any, `bytes` itself is returned. */
export function splice(bytes: Uint8Array, edits: readonly Edit[]): Uint8Array {
  if (edits.length === 0) return bytes;
  let length = bytes.length;
  let last = 0;
  for (const { span, text } of edits) {
    if (span.start < last || span.end < span.start || span.end > bytes.length) throw new RangeError('edits overlap or lie outside');
    length += Buffer.byteLength(text) - (span.end - span.start);
    last = span.end;
  }
  // Copied in place: a view for each piece takes longer than its bytes do.
  const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const spliced = Buffer.allocUnsafe(length);
  let [from, to] = [0, 0];
  for (const { span, text } of edits) {
    to += source.copy(spliced, to, from, span.start);
    if (text !== '') to += spliced.write(text, to);
    from = span.end;
  }
  to += source.copy(spliced, to, from);
  if (to !== length) throw new RangeError('the edits do not fit');
  return spliced;
}
