import type { Operation } from '../api/operation.ts';
import type { InputFault } from './input-value.ts';

const MAX_NAME_CHARACTERS = 200;

/** What was asked for, as words that follow `to`: `call delete_ticket on tickets`. */
export function wishOf(operation: Operation, server: string): string {
  const [name, host] = [printable(operation.target), printable(server)];
  switch (operation.action) {
    case 'Connect':
      return `connect to ${host}`;
    case 'CallTool':
      return `call ${name} on ${host}`;
    case 'GetPrompt':
      return `get prompt ${name} from ${host}`;
    case 'ReadResource':
      return `read ${name} on ${host}`;
    case 'SendMethod':
      return `send ${name} to ${host}`;
    case 'AskClient':
      return `be asked for ${name} by ${host}`;
  }
}

export function argumentSentence({ path, reason }: InputFault): string {
  return path === ''
    ? `the arguments cannot be judged: the value ${reason}`
    : `the arguments cannot be judged: ${printable(path)} ${reason}`;
}

/** A name that others chose, made safe to stand in a sentence: no control or invisible formatting characters, and not endless. */
export function printable(name: string): string {
  const characters = Array.from(name.slice(0, 2 * (MAX_NAME_CHARACTERS + 1)));
  const clean = characters
    .slice(0, MAX_NAME_CHARACTERS)
    .join('')
    .replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '\u{FFFD}');
  return characters.length > MAX_NAME_CHARACTERS ? `${clean}…` : clean;
}
