import { setTimeout as sleep } from 'node:timers/promises';
import type { McpClient } from './mcp-client.ts';
import type { Step } from './transcript.ts';

/** One thing that a client does with a program, as data: the Python client takes the same steps. */
export type ProgramStep = ProgramCall | { readonly name: string; readonly read: string; readonly fails?: number };

export interface ProgramCall {
  readonly name: string;
  readonly tool: string;
  readonly args: Readonly<Record<string, unknown>>;
  /** Before the call: these are the client's roots from now on, and it says so. */
  readonly roots?: readonly string[];
  /** The call is repeated until this is the text of its answer: the server takes up the client's roots in its own time. */
  readonly untilText?: string;
  /** The lines of the answer come in the order of a directory, which is any. */
  readonly isUnordered?: boolean;
}

const PATIENCE_MS = 20_000;
const PAUSE_MS = 20;

const LISTS: readonly Step<McpClient>[] = [
  { name: 'initialize', run: async (client) => client.handshake() },
  { name: 'ping', run: (client) => client.ping() },
  { name: 'tools/list', run: (client) => client.listTools() },
];

/** The steps for the TypeScript SDKs. */
export function withLists(steps: readonly ProgramStep[]): readonly Step<McpClient>[] {
  return [...LISTS, ...steps.map((step) => ({ ...('fails' in step && { fails: step.fails }), name: step.name, run: takes(step) }))];
}

function takes(step: ProgramStep): (client: McpClient) => Promise<unknown> {
  if ('read' in step) return (client) => client.readResource(step.read);
  const { tool, args, roots, untilText } = step;
  return async (client) => {
    if (roots !== undefined) {
      client.answers.roots = roots.map((uri) => ({ uri, name: 'root' }));
      await client.sendRootsListChanged();
    }
    const giveUp = AbortSignal.timeout(PATIENCE_MS);
    for (;;) {
      const result = await client.callTool(tool, args);
      if (untilText === undefined || textOf(result) === untilText || giveUp.aborted) return regular(step, result);
      await sleep(PAUSE_MS);
    }
  };
}

function textOf(result: unknown): string | undefined {
  return (result as { content: readonly { text?: string }[] }).content[0]?.text;
}

/** An answer without what two runs of the same step may differ in. */
export function regular(step: ProgramStep, answer: unknown): unknown {
  return JSON.parse(JSON.stringify(answer), (_key, member: unknown) => {
    if (typeof member !== 'string') return member;
    const text = member.replaceAll(/^(created|modified|accessed): .*$/gm, '$1: <time>');
    if (!('isUnordered' in step)) return text;
    const lines = text.split('\n').map((line) => line.replace(/,$/, ''));
    return lines.sort().join('\n');
  });
}
