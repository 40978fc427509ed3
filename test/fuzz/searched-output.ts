import { MARKER } from './pretend-policy.ts';

const UNICODE_ESCAPE = /\\u([0-9a-fA-F]{4})/g;

/** Whether the marker is in the bytes, in any way in which a client could decode them. */
export function hasMarker(output: Buffer): boolean {
  const wanted = MARKER.toLowerCase();
  const has = (text: string) => text.toLowerCase().includes(wanted);
  const text = output.toString('latin1');
  if (has(text)) return true;
  // Cheap first: every other decoding needs one of these.
  if (!text.includes('\\') && !text.includes('\0') && !text.includes('%')) return false;
  let unescaped = text;
  for (let rounds = 0; rounds < 3; rounds += 1) {
    unescaped = unescaped.replace(UNICODE_ESCAPE, (_whole, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
    unescaped = unescaped.replaceAll('\\\\', '\\');
    if (has(unescaped) || has(unescaped.replaceAll('\\', ''))) return true;
  }
  return (
    has(text.replaceAll('\0', '')) ||
    has(text.replace(/%([0-9a-fA-F]{2})/g, (_whole, code: string) => String.fromCharCode(Number.parseInt(code, 16))))
  );
}

/** Whether it is there for a client that joins the data lines of an event, however the lines end. */
export function hasMarkerAcrossLines(output: Buffer): boolean {
  return hasMarker(Buffer.from(output.toString('latin1').replace(/(?:\r\n|\r|\n)data: ?/g, ''), 'latin1'));
}
