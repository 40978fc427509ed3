/** Fields of a request as they were sent, names and values in turn: the `rawHeaders` of `node:http`, which keeps doubled fields apart. */
export type RawFields = readonly string[];

/** Every value of a field, in order. `name` is in lower case; field names match without regard to case (RFC 9110 section 5.1). */
export function fieldValues(fields: RawFields, name: string): string[] {
  const values: string[] = [];
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const field = fields[at] as string;
    if (field.length === name.length && field.toLowerCase() === name) {
      values.push(withoutOuterWhitespace(fields[at + 1] as string));
    }
  }
  return values;
}

/** By hand: a regular expression for the end takes quadratic time on long runs of blanks. */
function withoutOuterWhitespace(value: string): string {
  let start = 0;
  let end = value.length;
  while (isBlank(value.charCodeAt(start))) start += 1;
  while (end > start && isBlank(value.charCodeAt(end - 1))) end -= 1;
  return value.slice(start, end);
}

/** Space or tab: the optional whitespace of RFC 9110 section 5.6.3. */
function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
