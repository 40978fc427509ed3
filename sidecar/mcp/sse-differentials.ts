import type { StreamPart } from './sse.ts';

/**
 * What some readers of event streams take for the end of a line, besides CR and LF (HTML, section 9.2.6): Python's `splitlines` knows a dozen more.
 * Others drop what looks like a byte order mark in the wrong encoding, or read another charset. Outside `data`, where MCP has only ASCII, all of
 * these are refused; inside, JSON allows three of them, which are written as escapes.
 */
const SEPARATORS = [
  { bytes: Buffer.from('\u2028'), escaped: '\\u2028' },
  { bytes: Buffer.from('\u2029'), escaped: '\\u2029' },
  { bytes: Buffer.from('\u0085'), escaped: '\\u0085' },
] as const;

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const TILDE = 0x7e;
const BYTE_ORDER_MARK = Buffer.from('\ufeff');

/** Whether a content type is `text/event-stream` without a charset, or in UTF-8. */
export function isUtf8EventStream(contentType: string): boolean {
  return /^\s*text\/event-stream\s*(?:;\s*(?:charset\s*=\s*"?utf-8"?\s*)?)?$/i.test(contentType);
}

/**
 * Whether everything of a part but its data is printable ASCII, so that every client finds the same lines in it. A byte order mark is taken only where it
 * opens the stream and so belongs to no line: further on, clients that decode chunk by chunk drop it too, and find a field where others find none.
 */
export function isPlainAroundData({ raw, fields }: StreamPart): boolean {
  const data = fields.filter(({ name }) => name === 'data').map(({ value }) => value);
  const opensStream = fields[0]?.line.start !== 0 && BYTE_ORDER_MARK.equals(raw.subarray(0, BYTE_ORDER_MARK.length));
  let at = opensStream ? BYTE_ORDER_MARK.length : 0;
  for (const { start, end } of [...data, { start: raw.length, end: raw.length }]) {
    for (; at < start; at += 1) if (!isPlain(raw[at] ?? 0)) return false;
    at = end;
  }
  return true;
}

function isPlain(byte: number): boolean {
  return (byte >= SPACE && byte <= TILDE) || byte === LF || byte === CR || byte === TAB;
}

/** JSON text with the separators in its strings escaped: the same value, on one line for every reader. The same bytes when there are none. */
export function withoutLineSeparators(json: Uint8Array): Uint8Array {
  let text = Buffer.from(json.buffer, json.byteOffset, json.byteLength);
  if (!SEPARATORS.some(({ bytes }) => text.includes(bytes))) return json;
  for (const { bytes, escaped } of SEPARATORS) text = Buffer.from(text.toString().replaceAll(bytes.toString(), escaped));
  return text;
}
