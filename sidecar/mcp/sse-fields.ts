import { type Span, utf8Text } from '../../extauthz/api/json-structure.ts';
import { type Edit, splice } from './splice.ts';

/** One field line of an event. */
export interface EventField {
  /** `ignored` is what clients pass over: comments, names without a meaning, a `retry` that is no number. */
  readonly name: 'data' | 'event' | 'id' | 'retry' | 'ignored';
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
const DIGITS = /^[0-9]{1,9}$/;

/** Reads the field lines of a part from `from` on. Blank lines are none. */
export function readFields(raw: Uint8Array, from: number): EventText {
  const fields: EventField[] = [];
  let event: string | undefined;
  let id: string | undefined;
  for (let start = from; start < raw.length; ) {
    const textEnd = endOfLine(raw, start);
    const end = raw[textEnd] === CR && raw[textEnd + 1] === LF ? textEnd + 2 : textEnd + 1;
    if (textEnd > start) {
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
  const valueStart = Math.min(nameEnd + (text[nameEnd + 1] === SPACE ? 2 : 1), text.length);
  const value = { start: line.start + valueStart, end: textEnd };
  return { name: nameOf(utf8Text(text.subarray(0, Math.min(nameEnd, 6))), raw, value), line, value };
}

function nameOf(name: string, raw: Uint8Array, value: Span): EventField['name'] {
  if (name === 'data' || name === 'event' || name === 'id') return name;
  return name === 'retry' && DIGITS.test(textOf(raw, value)) ? name : 'ignored';
}

function dataOf(raw: Uint8Array, fields: readonly EventField[]): Uint8Array | undefined {
  const values = fields.filter(({ name }) => name === 'data').map(({ value }) => raw.subarray(value.start, value.end));
  if (values.length <= 1) return values[0];
  return Buffer.concat(values.flatMap((value, index) => (index === 0 ? [value] : [Buffer.of(LF), value])));
}

type Fields = Pick<EventText, 'fields'> & { readonly raw: Uint8Array };

/**
 * The event with other data and without what clients ignore; its id, type, `retry` and line ends stay as and where they were.
 * Data lines beyond the first become empty comments, too.
 */
export function withData({ raw, fields }: Fields, data: Uint8Array): Uint8Array {
  const first = fields.find(({ name }) => name === 'data');
  if (first === undefined) throw new RangeError('the event has no data to replace');
  const lines = utf8Text(data).split(LINE_END);
  const edits = fields.flatMap((field): readonly Edit[] => {
    if (field !== first) return field.name === 'data' || field.name === 'ignored' ? silenced(raw, field) : [];
    return [{ span: field.line, text: lines.map((line) => `data: ${line}${lineEnd(raw, field)}`).join('') }];
  });
  return splice(raw, edits);
}

/** The part with every line that clients ignore as an empty comment: still a sign of life, and with nothing to read. The same bytes when there is none. */
export function withoutIgnored({ raw, fields }: Fields): Uint8Array {
  const ignored = fields.filter(({ name }) => name === 'ignored');
  return ignored.length === 0
    ? raw
    : splice(
        raw,
        ignored.flatMap((field) => silenced(raw, field)),
      );
}

/** The line stays: without it a CR and an LF could meet, and two line ends be one. */
function silenced(raw: Uint8Array, field: EventField): readonly Edit[] {
  return [{ span: field.line, text: `:${lineEnd(raw, field)}` }];
}

function lineEnd(raw: Uint8Array, { value, line }: EventField): string {
  return textOf(raw, { start: value.end, end: line.end });
}

function textOf(raw: Uint8Array, { start, end }: Span): string {
  return utf8Text(raw.subarray(start, end));
}
