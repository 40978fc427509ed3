/** Begins every placeholder: a private-use character that nobody has a use for. A text that holds it beside escapes is refused. */
const MARKER = '\u{10fffd}';

/**
 * `JSON.parse`, without a defect of V8 in Node 26: a member name that is written with an escape is sometimes read as its raw characters
 * (`{"\"":1}` as a member called `\`), so that policy and the server would see different names. Such names are put in as placeholders and
 * restored afterwards; text without any, nearly all of it, is parsed as it is.
 * @throws {SyntaxError} when the text is not JSON.
 */
export function parseJsonValue(text: string): unknown {
  if (!text.includes('\\')) return JSON.parse(text);
  if (text.includes(MARKER)) throw new SyntaxError('a character that is reserved beside escapes');
  const names = new Map<string, string>();
  const plain = withPlaceholders(text, names);
  const value: unknown = JSON.parse(plain);
  return names.size === 0 ? value : restored(value, names);
}

/** Replaces every member name that has an escape in it. */
function withPlaceholders(text: string, names: Map<string, string>): string {
  let plain = '';
  let copied = 0;
  let backslash = text.indexOf('\\');
  for (let open = text.indexOf('"'); open !== -1 && backslash !== -1; ) {
    const close = endOfString(text, open);
    if (close === -1) break;
    if (backslash < open) backslash = text.indexOf('\\', open);
    if (backslash !== -1 && backslash < close && isName(text, close)) {
      const placeholder = `${MARKER}${names.size}`;
      names.set(placeholder, JSON.parse(text.slice(open, close + 1)) as string);
      plain += `${text.slice(copied, open)}"${placeholder}"`;
      copied = close + 1;
    }
    open = text.indexOf('"', close + 1);
  }
  return plain + text.slice(copied);
}

/** The place of the quote that ends the string opened at `open`, or -1. */
function endOfString(text: string, open: number): number {
  for (let close = text.indexOf('"', open + 1); close !== -1; close = text.indexOf('"', close + 1)) {
    let backslashes = 0;
    while (text.charAt(close - 1 - backslashes) === '\\') backslashes += 1;
    if (backslashes % 2 === 0) return close;
  }
  return -1;
}

/** Whether the string that ends at `close` is a member's name: only those are followed by a colon. */
function isName(text: string, close: number): boolean {
  let at = close + 1;
  while (' \t\r\n'.includes(text.charAt(at)) && at < text.length) at += 1;
  return text.charAt(at) === ':';
}

/** Recursion is bounded by what `JSON.parse` itself takes; callers limit the depth further. */
function restored(value: unknown, names: ReadonlyMap<string, string>): unknown {
  if (Array.isArray(value)) return value.map((element) => restored(element, names));
  if (typeof value !== 'object' || value === null) return value;
  const object = {};
  for (const [name, member] of Object.entries(value)) {
    const own = { value: restored(member, names), writable: true, enumerable: true, configurable: true };
    // Defined, not assigned: `__proto__` is a name like any other.
    Object.defineProperty(object, names.get(name) ?? name, own);
  }
  return object;
}
