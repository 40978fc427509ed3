import type { Choices } from './random.ts';

/** JSON as it is written: members may have one key twice, and any text can stand for a value. */
export type Written = { readonly members: [key: string, value: Written][] } | { readonly items: Written[] } | { readonly text: string };

/** A value as plain JSON would be written. */
export function written(value: unknown): Written {
  if (Array.isArray(value)) return { items: value.map(written) };
  if (typeof value === 'object' && value !== null) {
    return { members: Object.entries(value).map(([key, member]) => [key, written(member)]) };
  }
  return { text: JSON.stringify(value) };
}

export function memberOf(from: Written | undefined, key: string): Written | undefined {
  if (from === undefined || !('members' in from)) return undefined;
  return from.members.find(([name]) => name === key)?.[1];
}

/** Replaces the value of a key, or adds the member. */
export function setMember(to: Written | undefined, key: string, value: Written): void {
  if (to === undefined || !('members' in to)) return;
  const found = to.members.find(([name]) => name === key);
  if (found === undefined) to.members.push([key, value]);
  else found[1] = value;
}

/** Takes a key out. */
export function dropMember(from: Written | undefined, key: string): void {
  if (from === undefined || !('members' in from)) return;
  const at = from.members.findIndex(([name]) => name === key);
  if (at !== -1) from.members.splice(at, 1);
}

/** The text of it, with whitespace and escapes as the choices have them. */
export function textOf(value: Written, choices: Choices): string {
  const isPlain = choices.chance(70);
  const space = () => (isPlain || choices.chance(80) ? '' : choices.of([' ', '\n', '\t', '\r\n', '  ']));
  const string = (quoted: string) => (isPlain || choices.chance(80) ? quoted : escaped(quoted, choices));
  const write = (part: Written): string => {
    if ('text' in part) return part.text.startsWith('"') ? string(part.text) : part.text;
    const parts =
      'items' in part
        ? part.items.map((item) => `${space()}${write(item)}${space()}`)
        : part.members.map(([key, member]) => `${space()}${string(JSON.stringify(key))}${space()}:${space()}${write(member)}${space()}`);
    return 'items' in part ? `[${parts.join(',')}]` : `{${parts.join(',')}}`;
  };
  return space() + write(value) + space();
}

/** The same string with some of its letters written as escapes. */
function escaped(quoted: string, choices: Choices): string {
  let result = '';
  for (let at = 0; at < quoted.length; at += 1) {
    const character = quoted[at] ?? '';
    if (character === '\\') {
      const length = quoted[at + 1] === 'u' ? 6 : 2;
      result += quoted.slice(at, at + length);
      at += length - 1;
    } else if (character !== '"' && choices.chance(40)) {
      const code = character.charCodeAt(0).toString(16).padStart(4, '0');
      result += `\\u${choices.chance(50) ? code : code.toUpperCase()}`;
    } else result += character;
  }
  return result;
}
