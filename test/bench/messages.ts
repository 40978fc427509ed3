/**
 * What a benchmark call asks, and so what its answer must be.
 *
 * - `call`: `tools/call` of revision 2025-11-25, answered with a few bytes
 * - `modern`: the same under revision 2026-07-28, whose messages carry `_meta` and repeat themselves in headers
 * - `checked`: the same, of a tool whose policy reads the argument
 * - `large`: `tools/call` whose answer is as large as the whole tool list
 * - `list`: `tools/list`, all tools in the answer
 * - `filtered`: `tools/list`, only what policy shows in the answer
 */
export type CallKind = 'call' | 'modern' | 'checked' | 'large' | 'list' | 'filtered';

export const TOOL_COUNT = 200;
/** In the answer to `filtered`. */
export const VISIBLE_TOOL_COUNT = 100;
/** Decimal digits of a serial number; they are the call's id, and begin its argument. */
const SERIAL_DIGITS = 10;
const FIRST_SERIAL = 1_000_000_000;
const QUERY_BYTES = 100;

export interface Tool {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: object;
}

const SCHEMA = { type: 'object', properties: { query: { type: 'string', description: 'What to look up.' } }, required: ['query'] };

/** The tools of the upstream server, about 300 bytes each. The first `VISIBLE_TOOL_COUNT` are the ones that policy shows. */
export const TOOLS: readonly Tool[] = Array.from({ length: TOOL_COUNT }, (_, index) => ({
  name: ['lookup', 'lookup_checked', 'lookup_large'][index] ?? `lookup_${index}`,
  description:
    `Looks something up in catalogue ${index} and says what is known about it. ${'Entries are found by name or by number. '.repeat(2)}`.trim(),
  inputSchema: SCHEMA,
}));

const TOOL_OF: Readonly<Record<Exclude<CallKind, 'list' | 'filtered'>, string>> = {
  call: 'lookup',
  modern: 'lookup',
  checked: 'lookup_checked',
  large: 'lookup_large',
};
const MODERN = '2026-07-28';
const LEGACY = '2025-11-25';

function toolsJson(tools: readonly Tool[]): string {
  return tools.map((tool) => JSON.stringify(tool)).join(',');
}

const LIST_RESULT = `{"tools":[${toolsJson(TOOLS)}]}`;
const FILTERED_RESULT = `{"tools":[${toolsJson(TOOLS.slice(0, VISIBLE_TOOL_COUNT))}]}`;
const LARGE_TEXT = 'x'.repeat(LIST_RESULT.length - '{"content":[{"type":"text","text":""}]}'.length);

/** A query of `QUERY_BYTES` bytes that is another one for each serial number. */
function queryOf(serial: number): string {
  return `${serial}-`.padEnd(QUERY_BYTES, 'q');
}

export function resultJson(kind: CallKind, query: string): string {
  if (kind === 'list') return LIST_RESULT;
  if (kind === 'filtered') return FILTERED_RESULT;
  return `{"content":[{"type":"text","text":"${kind === 'large' ? LARGE_TEXT : query}"}]}`;
}

export function answerJson(kind: CallKind, idJson: string, query: string): string {
  return `{"jsonrpc":"2.0","id":${idJson},"result":${resultJson(kind, query)}}`;
}

/** Bytes in which the serial number can be replaced in place, wherever it stands. */
export class SerialTemplate {
  readonly bytes: Buffer;
  readonly #places: readonly number[];

  constructor(text: string) {
    this.bytes = Buffer.from(text, 'latin1');
    const places: number[] = [];
    const serial = String(FIRST_SERIAL);
    for (let at = text.indexOf(serial); at >= 0; at = text.indexOf(serial, at + SERIAL_DIGITS)) places.push(at);
    this.#places = places;
  }

  /** @param call 0 for the first call, 1 for the second, and so on */
  set(call: number): void {
    for (const place of this.#places) this.bytes.write(String(FIRST_SERIAL + call), place, SERIAL_DIGITS, 'latin1');
  }
}

export interface CallTarget {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly userToken: string;
}

/** Whether the kind belongs to a revision with sessions. */
export function hasSession(kind: CallKind): boolean {
  return kind !== 'modern';
}

/** The message that opens a session. */
export const INITIALIZE = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: LEGACY, capabilities: {}, clientInfo: { name: 'sidegate-bench', version: '0' } },
});

export const INITIALIZED = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  result: { protocolVersion: LEGACY, capabilities: { tools: {} }, serverInfo: { name: 'sidegate-bench', version: '0' } },
});

/** The fields that MCP clients send with every message, as lines of a head. */
export function clientFields(kind: CallKind, userToken: string): string[] {
  return [
    'Content-Type: application/json',
    'Accept: application/json, text/event-stream',
    `Authorization: Bearer ${userToken}`,
    `MCP-Protocol-Version: ${kind === 'modern' ? MODERN : LEGACY}`,
    'User-Agent: sidegate-bench',
  ];
}

/**
 * The HTTP request of a call.
 * @param sessionId as the gateway gave it; undefined exactly when the kind has none
 */
export function requestTemplate(
  kind: CallKind,
  { host, port, path, userToken }: CallTarget,
  sessionId: string | undefined,
): SerialTemplate {
  const modern = kind === 'modern';
  const isList = kind === 'list' || kind === 'filtered';
  const method = isList ? 'tools/list' : 'tools/call';
  const tool = isList ? '' : TOOL_OF[kind];
  const meta = modern
    ? { _meta: { 'io.modelcontextprotocol/protocolVersion': MODERN, 'io.modelcontextprotocol/clientCapabilities': {} } }
    : {};
  const call = { name: tool, arguments: { query: queryOf(FIRST_SERIAL) } };
  const params = isList ? meta : { ...meta, ...call };
  const body = JSON.stringify({ jsonrpc: '2.0', id: FIRST_SERIAL, method, params });
  const era = modern ? [`Mcp-Method: ${method}`, `Mcp-Name: ${tool}`] : [`Mcp-Session-Id: ${sessionId}`];
  const head = [
    `POST ${path} HTTP/1.1`,
    `Host: ${host}:${port}`,
    ...clientFields(kind, userToken),
    ...era,
    `Content-Length: ${body.length}`,
  ];
  return new SerialTemplate(`${head.join('\r\n')}\r\n\r\n${body}`);
}

/** The body that the answer to a call must have, byte for byte. */
export function answerTemplate(kind: CallKind): SerialTemplate {
  return new SerialTemplate(answerJson(kind, String(FIRST_SERIAL), queryOf(FIRST_SERIAL)));
}

/** Which kind of answer a tool gives. */
export function kindOfTool(name: unknown): CallKind | undefined {
  if (name === TOOL_OF.large) return 'large';
  return name === TOOL_OF.call || name === TOOL_OF.checked ? 'call' : undefined;
}
