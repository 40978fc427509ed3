import type { Admitted } from './admitted.ts';
import { ownerOf } from './admitted.ts';
import { type Refusal, rejected } from './denial.ts';
import { HEADER_MISMATCH } from './mcp/message.ts';
import { checkParamHeaders, type ParamHeader, paramHeadersOf } from './mcp/param-headers.ts';
import { OwnedEntries } from './owned-entries.ts';
import { ownerText } from './session-seal.ts';

const MAX_TOOLS = 10_000;
const MAX_NAME_LENGTH = 1_024;
const KEPT_MS = 24 * 3_600_000;
/** Versions of one tool's schema that are remembered. */
const MAX_VERSIONS = 4;
const ANNOTATION = Buffer.from('x-mcp-header');

/**
 * The arguments that `Mcp-Param-*` fields repeat (2026-07-28), as far as `tools/list` answers that went through this sidecar declare them: a saved
 * catalogue may be older than what the client knows. A call is refused when it fits none of the versions that its user was shown, so that a client that
 * goes by any of them is never refused; whether that one still holds is the server's to say. Tools that are not known go to the server as they are.
 */
export class ToolSchemas {
  readonly #monotonicMs: () => number;
  /** By user and server, and tool: the versions of its declarations, the newest last. */
  readonly #versions = new OwnedEntries<readonly (readonly ParamHeader[])[]>(MAX_TOOLS);

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
  }

  /** Takes note of the tools in a result. @param message the bytes it was read from */
  answered({ exchange, era, permit }: Admitted, { tools }: Readonly<Record<string, unknown>>, message: Uint8Array): void {
    if (exchange.method !== 'tools/list' || era !== 'modern' || !Array.isArray(tools)) return;
    const owner = ownerText(ownerOf(permit));
    // Few servers declare any; walking through every schema of a long list takes longer than filtering it.
    const declaresAny = Buffer.from(message.buffer, message.byteOffset, message.byteLength).includes(ANNOTATION);
    if (!declaresAny && !this.#versions.hasOwner(owner)) return;
    for (const tool of tools as readonly unknown[]) {
      if (typeof tool !== 'object' || tool === null) continue;
      const { name, inputSchema } = tool as Readonly<Record<string, unknown>>;
      if (typeof name === 'string' && name.length <= MAX_NAME_LENGTH) this.#learn(owner, name, paramHeadersOf(inputSchema));
    }
  }

  /** Why a call cannot go on; undefined when it can, or is no call of a tool. */
  mismatch({ exchange, era, permit }: Admitted, args: unknown): Refusal | undefined {
    if (exchange.method !== 'tools/call' || era !== 'modern') return undefined;
    const versions = this.#versions.get(ownerText(ownerOf(permit)), exchange.target, this.#monotonicMs());
    if (versions === undefined) return undefined;
    const checks = versions.map((declared) => checkParamHeaders(exchange.request.rawHeaders, declared, args));
    const [newest] = checks.slice(-1);
    return newest === undefined || newest.ok || checks.some(({ ok }) => ok)
      ? undefined
      : rejected('malformed', 400, newest.failure, HEADER_MISMATCH);
  }

  #learn(owner: string, tool: string, declared: readonly ParamHeader[]): void {
    const nowMs = this.#monotonicMs();
    const known = this.#versions.get(owner, tool, nowMs);
    if (known === undefined && declared.length === 0) return;
    const text = JSON.stringify(declared);
    const others = (known ?? []).filter((version) => JSON.stringify(version) !== text);
    this.#versions.set(owner, tool, [...others, declared].slice(-MAX_VERSIONS), KEPT_MS, nowMs);
  }
}
