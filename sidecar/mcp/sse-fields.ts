import { type Span, utf8Text } from '../../extauthz/api/json-structure.ts';
import { type Edit, splice } from './splice.ts';

/** One field line of an event. */
export interface EventField {
  /** `other` stands for names that we do not act on. */
  readonly name: 'data' | 'event' | 'id' | 'other';
  /** The line with its line end. */
  readonly line: Span;
  readonly value: Span;
}

/** What an event says. */
export interface EventText {
  /** The `data` lines joined by LF; undefined when there are none, so that clients see no event. */
  readonly data: Uint8Array | undefined;
  /** The `event` field: the type, `message` when undefined. */
  readonly event: string | undefined;
  /** The `id` field: what a client would resume from. */
  readonly id: string | undefined;
  readonly fields: readonly EventField[];
}

const LF = 0x0a;
const CR = 0x0d;
const COLON = 0x3a;
const SPACE = 0x20;
const LINE_END = /\r\n|\r|\n/;

/** Reads the field lines of a part from `from` on. Blank lines and comments are none. */
export function readFields(raw: Uint8Array, from: number): EventText {
  const fields: EventField[] = [];
  let event: string | undefined;
  let id: string | undefined;
  for (let start = from; start < raw.length; ) {
    const textEnd = endOfLine(raw, start);
    const end = raw[textEnd] === CR && raw[textEnd + 1] === LF ? textEnd + 2 : textEnd + 1;
    if (textEnd > start && raw[start] !== COLON) {
      const field = readField(raw, { start, end }, textEnd);
      fields.push(field);
      if (field.name === 'event') event = textOf(raw, field.value);
      if (field.name === 'id') id = textOf(raw, field.value);
    }
    start = end;
  }
  return { data: dataOf(raw, fields), event, id, fields };
}

/** After so many bytes of a line it is quicker to look for its end natively, in windows so that no byte is looked at too often. */
const NEAR_BYTES = 256;
const WINDOW_BYTES = 4_096;

/** The place of the first CR or LF from `from` on; the length when there is none. */
export function endOfLine(bytes: Uint8Array, from: number): number {
  let at = from;
  for (const near = Math.min(from + NEAR_BYTES, bytes.length); at < near; at += 1) {
    if (bytes[at] === LF || bytes[at] === CR) return at;
  }
  while (at < bytes.length) {
    const window = Buffer.from(bytes.buffer, bytes.byteOffset + at, Math.min(WINDOW_BYTES, bytes.length - at));
    const lf = window.indexOf(LF);
    const cr = (lf === -1 ? window : window.subarray(0, lf)).indexOf(CR);
    if (cr !== -1) return at + cr;
    if (lf !== -1) return at + lf;
    at += window.length;
  }
  return at;
}

function readField(raw: Uint8Array, line: Span, textEnd: number): EventField {
  const text = raw.subarray(line.start, textEnd);
  const colon = text.indexOf(COLON);
  const nameEnd = colon === -1 ? text.length : colon;
  const name = utf8Text(text.subarray(0, Math.min(nameEnd, 6)));
  const valueStart = Math.min(nameEnd + (text[nameEnd + 1] === SPACE ? 2 : 1), text.length);
  return {
    name: name === 'data' || name === 'event' || name === 'id' ? name : 'other',
    line,
    value: { start: line.start + valueStart, end: textEnd },
  };
}

function dataOf(raw: Uint8Array, fields: readonly EventField[]): Uint8Array | undefined {
  const values = fields.filter(({ name }) => name === 'data').map(({ value }) => raw.subarray(value.start, value.end));
  if (values.length <= 1) return values[0];
  return Buffer.concat(values.flatMap((value, index) => (index === 0 ? [value] : [Buffer.of(LF), value])));
}

/**
 * The event with other data; its id, type, `retry`, comments and line ends stay as and where they were.
 * Data lines beyond the first become empty comments: without them a CR and an LF could meet, and two line ends be one.
 */
export function withData({ raw, fields }: Pick<EventText, 'fields'> & { readonly raw: Uint8Array }, data: Uint8Array): Uint8Array {
  const [first, ...others] = fields.filter(({ name }) => name === 'data');
  if (first === undefined) throw new RangeError('the event has no data to replace');
  const lineEnd = (field: EventField) => textOf(raw, { start: field.value.end, end: field.line.end });
  const lines = utf8Text(data).split(LINE_END);
  const edits: Edit[] = [{ span: first.line, text: lines.map((line) => `data: ${line}${lineEnd(first)}`).join('') }];
  for (const field of others) edits.push({ span: field.line, text: `:${lineEnd(field)}` });
  return splice(raw, edits);
}

function textOf(raw: Uint8Array, { start, end }: Span): string {
  return utf8Text(raw.subarray(start, end));
}
