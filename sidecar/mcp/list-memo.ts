import { findMember, ROOT } from '../../extauthz/api/json-members.ts';
import { utf8Text } from '../../extauthz/api/json-structure.ts';
import { ok, type Result } from '../../extauthz/api/result.ts';
import { type ListFault, type ListRead, readList } from './list-filter.ts';

/** A list as it was read, and a copy of the bytes that it was read from. */
interface Known {
  readonly expected: string | undefined;
  readonly bytes: Buffer;
  /** Where the id lies in `bytes`. */
  readonly idStart: number;
  readonly idEnd: number;
  readonly lists: ListRead['lists'];
  readonly marks: ListRead['text']['marks'];
  readonly envelope: ListRead['envelope'];
  readonly result: ListRead['result'];
  readonly weight: number;
}

/** All that is remembered, in bytes as `weightOf` estimates them. */
const MAX_WEIGHT = 8_388_608;
/** Looking for a message costs little, but not nothing. */
const MAX_KNOWN = 32;
/** The longest list remembered, in bytes. Beyond it a few would push out all others. */
const MAX_LENGTH = 1_048_576;

/** Ids that change nothing but themselves where they stand in a JSON text: short whole numbers, and strings without escapes. */
const PLAIN_ID = /^(?:0|[1-9][0-9]{0,14}|"[ !#-[\]-~]{0,128}")$/;

/**
 * Reads as `readList` does, and remembers the last lists, since servers send the same one again and again and reading it takes longer than all else
 * that is done with it. A message is known when every byte but those of its id is the same, so that reading it could only come to the same.
 *
 * Nothing else goes in: what a user may see is no part of it and is asked for each message anew, as is everything that follows from what was read.
 */
export class ListMemo {
  /** The last used first. */
  #known: readonly Known[] = [];
  #weight = 0;

  /** How much is remembered, in bytes as they are estimated. */
  get weight(): number {
    return this.#weight;
  }

  /**
   * The same as `readList`. What is in it may be read by others too and must not be changed.
   * @param idJson the id that the message is likely to have, as it would be written; without it nothing is remembered
   */
  read(message: Uint8Array, expected: string | undefined, idJson: string | undefined): Result<ListRead, ListFault> {
    if (idJson === undefined || message.length > MAX_LENGTH || !PLAIN_ID.test(idJson)) return readList(message, expected);
    const known = this.#known.find((candidate) => candidate.expected === expected && isSame(candidate, message, idJson));
    if (known !== undefined) {
      if (known !== this.#known[0]) this.#known = [known, ...this.#known.filter((other) => other !== known)];
      return ok(withId(known, message, idJson));
    }
    const read = readList(message, expected);
    if (read.ok && read.value.lists.length > 0) this.#keep(read.value, expected, idJson);
    return read;
  }

  #keep({ text, lists, envelope, result }: ListRead, expected: string | undefined, idJson: string): void {
    const id = findMember(text, ROOT, 'id')?.value;
    if (id === undefined || utf8Text(text.bytes.subarray(id.start, id.end)) !== idJson) return;
    const weight = text.bytes.length + weightOf(envelope) + weightOf(lists) + MARK_BYTES * text.marks.length;
    if (weight > MAX_WEIGHT) return;
    // A copy: the bytes of an answer share their memory with others.
    const bytes = Buffer.from(text.bytes);
    const kept: Known[] = [{ expected, bytes, idStart: id.start, idEnd: id.end, lists, marks: text.marks, envelope, result, weight }];
    this.#weight = weight;
    for (const known of this.#known) {
      if (kept.length === MAX_KNOWN || this.#weight + known.weight > MAX_WEIGHT) break;
      kept.push(known);
      this.#weight += known.weight;
    }
    this.#known = kept;
  }
}

/** Whether the message is the known one with `idJson`, which is ASCII, in place of its id. */
function isSame({ bytes, idStart, idEnd }: Known, message: Uint8Array, idJson: string): boolean {
  const messageIdEnd = idStart + idJson.length;
  if (message.length !== messageIdEnd + bytes.length - idEnd) return false;
  return (
    utf8Text(message.subarray(idStart, messageIdEnd)) === idJson &&
    bytes.compare(message, messageIdEnd, message.length, idEnd, bytes.length) === 0 &&
    bytes.compare(message, 0, idStart, 0, idStart) === 0
  );
}

/** What reading the message would have come to. */
function withId({ idStart, idEnd, lists, marks, envelope, result }: Known, message: Uint8Array, idJson: string): ListRead {
  const longer = idJson.length - (idEnd - idStart);
  const moved = longer === 0 ? marks : marks.map((mark) => (mark < idEnd ? mark : mark + longer));
  return { lists, result, envelope: { ...envelope, id: JSON.parse(idJson) }, text: { bytes: message, marks: moved } };
}

const MARK_BYTES = 8;
/** V8 takes this much for a value, and for a member whose name no other object has. */
const VALUE_BYTES = 48;
const MEMBER_BYTES = 160;
const CHARACTER_BYTES = 2;

/** How much memory a parsed value takes at most, about. Recursion is bounded: the depth was checked when it was read. */
function weightOf(value: unknown): number {
  if (typeof value === 'string') return VALUE_BYTES + CHARACTER_BYTES * value.length;
  if (typeof value !== 'object' || value === null) return VALUE_BYTES;
  let weight = VALUE_BYTES;
  if (Array.isArray(value)) for (const element of value) weight += weightOf(element);
  else
    for (const name in value) weight += MEMBER_BYTES + CHARACTER_BYTES * name.length + weightOf((value as Record<string, unknown>)[name]);
  return weight;
}
