/**
 * Why a JSON text was refused. Those from `byte_order_mark` on are legal JSON that two parsers may read differently, or that costs too much to read.
 *
 * - `invalid_utf8`: not UTF-8 (RFC 8259 section 8.1)
 * - `syntax`: not JSON
 * - `too_deep`: nested deeper than the limit
 * - `byte_order_mark`: starts with U+FEFF, which some parsers skip and some refuse
 * - `duplicate_key`: two members of one object have the same name, after unescaping; parsers take the first, the last or neither
 * - `lone_surrogate`: a string escapes half of a surrogate pair, which parsers keep, replace or refuse
 * - `too_many_nodes`: more objects, arrays and members than the limit
 */
export type JsonFaultKind =
  | 'invalid_utf8'
  | 'byte_order_mark'
  | 'syntax'
  | 'duplicate_key'
  | 'lone_surrogate'
  | 'too_deep'
  | 'too_many_nodes';

export interface JsonFault {
  readonly kind: JsonFaultKind;
  /** The first byte that is at fault. */
  readonly offset: number;
  /** A phrase for the sender. Holds nothing from the text. */
  readonly detail: string;
}

export interface StrictJsonLimits {
  /** How deep objects and arrays may nest; a flat object has depth 1. */
  readonly maxDepth?: number;
  /** How many objects, arrays and members of objects there may be, counted together. Elements that are neither are not counted. */
  readonly maxNodes?: number;
  /** Take half of a surrogate pair in a value (never in a key), for texts whose strings are passed on and not judged. */
  readonly loneSurrogates?: boolean;
}
