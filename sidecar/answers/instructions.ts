import { findMember, ROOT } from '../../extauthz/api/json-members.ts';
import { foldCase } from '../../extauthz/api/protocol-keys.ts';
import { ok, type Result } from '../../extauthz/api/result.ts';
import type { Decider } from '../authz/decide.ts';
import type { Refusal } from '../denial.ts';
import type { ListRead } from '../mcp/list-filter.ts';
import { mentionedIn } from '../mcp/mentions.ts';
import { splice } from '../mcp/splice.ts';
import type { Permit } from '../permit.ts';
import type { KnownNames } from './known-names.ts';

type Capabilities = Readonly<Record<string, unknown>>;

/** A list, the capability under which a server has it, and a name that nothing has: it stands for all that are not known. */
const KINDS = [
  { method: 'tools/list', capability: 'tools', anyName: 'sidegate-any' },
  { method: 'prompts/list', capability: 'prompts', anyName: 'sidegate-any' },
  { method: 'resources/list', capability: 'resources', anyName: 'sidegate:any' },
  { method: 'resources/templates/list', capability: undefined, anyName: '' },
] as const;
const KEY = 'instructions';
/** A longer text would take long to search. */
const MAX_LENGTH = 65_536;

export interface InstructionsOptions {
  readonly decider: Decider;
  readonly names: KnownNames;
}

/**
 * The text `instructions` in `initialize` and `server/discover` results: a server's advice to every user, which may name what one of them must not see.
 * It is judged by the names that this sidecar knows. While it does not know what a server calls its tools, prompts or resources, the text counts as
 * naming all of them.
 */
export class Instructions {
  readonly #options: InstructionsOptions;

  constructor(options: InstructionsOptions) {
    this.#options = options;
  }

  /** The message, with an empty text for instructions that this user may not have. */
  async filter(read: ListRead, permit: Permit, userToken: string): Promise<Result<Uint8Array, Refusal>> {
    const { text, result } = read;
    const instructions = result[KEY];
    if (instructions === undefined || instructions === '' || permit.route.instructions === 'pass') return ok(text.bytes);
    const shown =
      permit.route.instructions === 'drop' || typeof instructions !== 'string' || instructions.length > MAX_LENGTH
        ? ok(false)
        : await this.#mayShow(instructions, result['capabilities'], permit, userToken);
    if (!shown.ok) return shown;
    return ok(shown.value ? text.bytes : withoutInstructions(read));
  }

  async #mayShow(text: string, capabilities: unknown, permit: Permit, userToken: string): Promise<Result<boolean, Refusal>> {
    const { decider, names } = this.#options;
    const { name: server, declaredTools = [] } = permit.route;
    const offered: Capabilities = isObject(capabilities) ? capabilities : {};
    for (const { method, capability, anyName } of KINDS) {
      const declared = method === 'tools/list' ? declaredTools : [];
      const seen = names.of(server, method);
      const isUnknown = !seen.isWhole && declared.length === 0 && capability !== undefined && capability in offered;
      const asked = [...mentionedIn(text, new Set([...declared, ...seen.names])), ...(isUnknown ? [anyName] : [])];
      const visible = await decider.visible(permit, method, asked, userToken);
      if (!visible.ok) return visible;
      if (!visible.value.every(Boolean)) return ok(false);
    }
    return ok(true);
  }
}

/** Whether a result has a member that some clients take for the instructions, though it is written in another case. */
export function hidesInstructions(result: Readonly<Record<string, unknown>>): boolean {
  for (const key in result) if (key !== KEY && key.length >= KEY.length && foldCase(key) === KEY) return true;
  return false;
}

function withoutInstructions({ text }: ListRead): Uint8Array {
  const result = findMember(text, ROOT, 'result');
  const place = result === undefined ? undefined : findMember(text, result.open, KEY);
  if (place === undefined) throw new RangeError('the instructions have no place in the text');
  return splice(text.bytes, [{ span: place.value, text: '""' }]);
}

function isObject(value: unknown): value is Capabilities {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
