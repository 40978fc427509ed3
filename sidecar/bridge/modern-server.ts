import { ok, type Result } from '../../extauthz/api/result.ts';
import type { Clock } from '../clock.ts';
import { type Refusal, upstreamFailed } from '../denial.ts';
import { type ParamHeader, paramHeadersOf } from '../mcp/param-headers.ts';
import { type Caller, callerKey } from './caller.ts';
import { isObject, type JsonText, written } from './json-text.ts';
import { MODERN_VERSION } from './meta-keys.ts';
import { type ClientDeclaration, modernHeaders, modernMeta } from './modern-request.ts';
import type { ServerWire } from './server-wire.ts';
import { TimedCache } from './timed-cache.ts';

/** What each tool wants repeated in fields, by its name. */
export type ToolFields = ReadonlyMap<string, readonly ParamHeader[]>;

type Discovered = Result<JsonText, Refusal>;
type Learned = Result<{ readonly fields: ToolFields; readonly ttlMs: number }, Refusal>;

const MAX_KEPT = 1_000;
const MAX_DISCOVERED_MS = 3_600_000;
const MIN_LEARNED_MS = 5_000;
const MAX_LEARNED_MS = 300_000;
const MAX_PAGES = 100;
const MAX_TOOLS = 10_000;

/** What the bridge asks modern servers for itself: what they are, and which arguments their tools want in fields. Kept by caller, never across. */
export class ModernServers {
  readonly #wire: ServerWire;
  readonly #discovered: TimedCache<Discovered>;
  readonly #learned: TimedCache<Learned>;
  #lastId = 0;

  constructor(wire: ServerWire, clock: Clock) {
    this.#wire = wire;
    this.#discovered = new TimedCache(MAX_KEPT, clock.monotonicMs);
    this.#learned = new TimedCache(MAX_KEPT, clock.monotonicMs);
  }

  /** The answer to `server/discover`. */
  discover(caller: Caller, declared: ClientDeclaration): Promise<Discovered> {
    const keepMs = (discovered: Discovered) => {
      const ttlMs = discovered.ok ? discovered.value.at('result', 'ttlMs') : 0;
      return typeof ttlMs === 'number' ? Math.min(ttlMs, MAX_DISCOVERED_MS) : 0;
    };
    return this.#discovered.get(callerKey(caller), () => this.#discover(caller, declared), keepMs);
  }

  /** What the tools want in fields. */
  async toolFields(caller: Caller, declared: ClientDeclaration): Promise<Result<ToolFields, Refusal>> {
    const keepMs = (learned: Learned) => (learned.ok ? Math.min(Math.max(learned.value.ttlMs, MIN_LEARNED_MS), MAX_LEARNED_MS) : 0);
    const learned = await this.#learned.get(callerKey(caller), () => this.#learn(caller, declared), keepMs);
    return learned.ok ? ok(learned.value.fields) : learned;
  }

  /** Has the tools asked for again. */
  forgetTools(caller: Caller): void {
    this.#learned.delete(callerKey(caller));
  }

  async #discover(caller: Caller, declared: ClientDeclaration): Promise<Discovered> {
    const asked = await this.#ask(caller, 'server/discover', declared);
    if (!asked.ok) return asked;
    const versions = asked.value.at('result', 'supportedVersions');
    const { name } = caller.permit.route;
    if (!Array.isArray(versions) || !versions.includes(MODERN_VERSION))
      return refuse(`the server ${name} does not speak MCP ${MODERN_VERSION}, which its registration says it does`);
    return asked;
  }

  async #learn(caller: Caller, declared: ClientDeclaration): Promise<Learned> {
    const fields = new Map<string, readonly ParamHeader[]>();
    const { name: server } = caller.permit.route;
    let ttlMs = 0;
    let cursor: string | undefined;
    for (let pages = 0; pages < MAX_PAGES; pages += 1) {
      const asked = await this.#ask(caller, 'tools/list', declared, cursor);
      if (!asked.ok) return asked;
      const tools = asked.value.at('result', 'tools');
      if (!Array.isArray(tools)) break;
      for (const tool of tools) {
        const isNamed = isObject(tool) && typeof tool['name'] === 'string';
        const repeated = isNamed ? paramHeadersOf(tool['inputSchema']) : [];
        if (isNamed && repeated.length > 0) fields.set(String(tool['name']), repeated);
      }
      if (fields.size > MAX_TOOLS) return refuse(`the server ${server} has too many tools`);
      const pageTtlMs = asked.value.at('result', 'ttlMs');
      if (typeof pageTtlMs === 'number') ttlMs = pages === 0 ? pageTtlMs : Math.min(ttlMs, pageTtlMs);
      cursor = asked.value.written('result', 'nextCursor');
      if (cursor === undefined || cursor === 'null') break;
    }
    return ok({ fields, ttlMs });
  }

  async #ask(caller: Caller, method: string, declared: ClientDeclaration, cursor?: string): Promise<Result<JsonText, Refusal>> {
    this.#lastId += 1;
    const idJson = `"sidegate-${this.#lastId}"`;
    const params = written({ _meta: modernMeta({ ...declared, logLevel: undefined }), cursor: cursor ?? null });
    const body = Buffer.from(`{"jsonrpc":"2.0","id":${idJson},"method":"${method}","params":${params}}`);
    const asked = await this.#wire.ask(caller.permit, modernHeaders(caller, method, undefined), body, idJson);
    if (!asked.ok) return asked;
    const { json } = asked.value.response;
    const { name } = caller.permit.route;
    if (json.objectAt('result') !== undefined) return ok(json);
    return refuse(
      `the server ${name} answered ${method} with the error ${String(json.at('error', 'code'))}; is it one of ${MODERN_VERSION}?`,
    );
  }
}

function refuse(reason: string): Result<never, Refusal> {
  return { ok: false, failure: upstreamFailed('upstream_answer', reason) };
}

/** Which changes of lists a modern or legacy server announces, as `subscriptions/listen` names them. */
export function announcedLists(capabilities: unknown): readonly ('toolsListChanged' | 'promptsListChanged' | 'resourcesListChanged')[] {
  const announces = (kind: string) => {
    const capability = isObject(capabilities) ? capabilities[kind] : undefined;
    return isObject(capability) && capability['listChanged'] === true;
  };
  return (['tools', 'prompts', 'resources'] as const).filter(announces).map((kind) => `${kind}ListChanged` as const);
}
