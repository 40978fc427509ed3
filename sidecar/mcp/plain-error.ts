import { isUtf8 } from 'node:buffer';
import { foldCase } from '../../extauthz/api/protocol-keys.ts';
import { FILTERED_LISTS } from './list-filter.ts';

const UNICODE_ESCAPE = /\\u([0-9a-fA-F]{4})/g;
/** What no text has: they hint at another encoding, in which a client could find something else. */
const CONTROL = /[^\P{Cc}\t\n\f\r]/u;
/** A member that makes a message or a list, however it is quoted and whatever stands around it. */
const MEMBER = new RegExp(`(?:jsonrpc|${[...FILTERED_LISTS.values()].map(({ itemsKey }) => foldCase(itemsKey)).join('|')})\\\\*["']?\\s*:`);

/** Whether a body that is no message is one that no client could find a list in, however forgiving it is: a text, a page, another kind of JSON. */
export function isPlainError(body: Uint8Array): boolean {
  if (!isUtf8(body)) return false;
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString();
  const unescaped = text.replace(UNICODE_ESCAPE, (_escape, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
  return !CONTROL.test(text) && !MEMBER.test(foldCase(unescaped));
}
