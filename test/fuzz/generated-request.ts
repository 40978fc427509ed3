import fc from 'fast-check';
import { dropMember, memberOf, setMember, textOf, type Written, written } from './json-text.ts';
import { MARKER } from './pretend-policy.ts';
import { Choices } from './random.ts';

/** An HTTP request of the agent's. */
export interface GeneratedRequest {
  readonly method: 'POST' | 'GET' | 'DELETE';
  /** Names and values in turn, as in `IncomingMessage.rawHeaders`. */
  readonly fields: string[];
  readonly body: Buffer;
  /** Whether it holds an array of messages, each of which has an answer of its own. */
  readonly isBatch: boolean;
}

/** What fast-check chooses and shrinks; the rest follows from the seed. */
const SPEC = fc.record({
  seed: fc.nat(),
  http: fc.constantFrom('POST', 'POST', 'POST', 'POST', 'POST', 'POST', 'POST', 'POST', 'POST', 'GET'),
  isModern: fc.boolean(),
  isHidden: fc.boolean(),
  mutations: fc.integer({ min: 0, max: 5 }).map((number) => Math.max(0, number - 3)),
  fieldMutation: fc.integer({ min: 0, max: 9 }).map((number) => number === 9),
});

type Spec = typeof SPEC extends fc.Arbitrary<infer Value> ? Value : never;

const HIDDEN_NAMES = [
  MARKER,
  `${MARKER}-2`,
  `Safe-1`,
  'SAFE-1',
  'safe-1 ',
  'safe-1\u0000',
  'saf\u0435-1',
  'ſafe-1',
  '',
  `${MARKER}/x`,
  '__proto__',
];
const HIDDEN_URIS = [
  `file:///${MARKER}`,
  `file:///public/../${MARKER}`,
  `file:///public/%2e%2e/${MARKER}`,
  'FILE:///public/a',
  'file:///public',
  `file:///public/\t../${MARKER}`,
  'public/a',
];
const SAFE_NAMES = ['safe-1', 'safe-2', 'safe-x', 'safe-1'];
const SAFE_URIS = ['file:///public/a', 'file:///public/b/c', 'file:///public/a'];

const VERSION_KEY = 'io.modelcontextprotocol/protocolVersion';
const CAPABILITIES_KEY = 'io.modelcontextprotocol/clientCapabilities';

type Build = (name: string, uri: string) => readonly [method: string, params: unknown];

/** Weighted by repetition. */
const BUILDS: readonly Build[] = [
  (name) => ['tools/call', { name, arguments: { text: 'x', list: [1, 2, { name: 'inner' }] } }],
  (name) => ['tools/call', { name, arguments: {} }],
  (name) => ['tools/call', { name }],
  () => ['tools/list', {}],
  () => ['tools/list', undefined],
  () => ['prompts/list', {}],
  () => ['resources/list', { cursor: 'c' }],
  () => ['resources/templates/list', {}],
  (name) => ['prompts/get', { name, arguments: { language: 'de' } }],
  (_name, uri) => ['resources/read', { uri }],
  (_name, uri) => ['resources/subscribe', { uri }],
  (name) => ['completion/complete', { ref: { type: 'ref/prompt', name }, argument: { name: 'a', value: 'b' } }],
  (_name, uri) => ['completion/complete', { ref: { type: 'ref/resource', uri }, argument: { name: 'a', value: 'b' } }],
  (_name, uri) => ['subscriptions/listen', { notifications: { toolsListChanged: true, resourceSubscriptions: ['file:///public/a', uri] } }],
  () => ['initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'f', version: '1' } }],
  () => ['ping', undefined],
  (name) => [name.startsWith('safe') ? 'vendor/safe' : `vendor/${MARKER}`, {}],
  () => ['notifications/cancelled', { requestId: 1 }],
];

export function requestOf(spec: Spec): GeneratedRequest {
  const choices = new Choices(spec.seed);
  const fields = ['host', 'localhost', 'authorization', 'Bearer token', 'accept', 'application/json, text/event-stream'];
  if (spec.http === 'GET') return { method: choices.chance(90) ? 'GET' : 'DELETE', fields, body: Buffer.alloc(0), isBatch: false };
  const name = choices.of(spec.isHidden ? HIDDEN_NAMES : SAFE_NAMES);
  const uri = choices.of(spec.isHidden ? HIDDEN_URIS : SAFE_URIS);
  const [method, params] = choices.of(BUILDS)(name, uri);
  const isModern = spec.isModern && method !== 'initialize';
  const message = written(envelope(method, params, isModern, choices));
  const isResponse = choices.chance(4);
  for (let left = spec.mutations; left > 0; left -= 1) mutate(message, choices);
  const whole: Written = isResponse ? written({ jsonrpc: '2.0', id: choices.of([1, 'ask-1']), result: {} }) : message;
  const isBatch = choices.chance(4);
  const body = bytesOf(isBatch ? { items: Array.from({ length: 1 + choices.below(3) }, () => whole) } : whole, spec.mutations, choices);
  fields.push(...fieldsOf(method, params, isModern, spec.fieldMutation, choices));
  return { method: 'POST', fields, body, isBatch };
}

function envelope(method: string, params: unknown, isModern: boolean, choices: Choices): Record<string, unknown> {
  const _meta = isModern
    ? {
        [VERSION_KEY]: '2026-07-28',
        [CAPABILITIES_KEY]: {},
        ...(choices.chance(20) && { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` }),
      }
    : choices.chance(20)
      ? choices.of([{ progressToken: 7 }, { [VERSION_KEY]: choices.of(['2025-11-25', '2026-07-28']) }])
      : undefined;
  const all = _meta === undefined ? params : { ...(params as object), _meta };
  const id = method.startsWith('notifications/') ? {} : { id: choices.of<unknown>([1, 'a', 0, -5, 12345678901234, 'é\u2028', '']) };
  const message = { jsonrpc: '2.0', ...id, method, ...(all !== undefined && { params: all }) };
  return choices.chance(30) ? Object.fromEntries(Object.entries(message).reverse()) : message;
}

/** A place that decides what a message does: an object and one of its keys. */
function governingPlace(message: Written, choices: Choices): readonly [Written | undefined, string] {
  const params = memberOf(message, 'params');
  return choices.of([
    [message, 'method'],
    [message, 'params'],
    [message, 'id'],
    [params, 'name'],
    [params, 'uri'],
    [params, 'name'],
    [params, 'arguments'],
    [params, '_meta'],
    [params, 'ref'],
    [memberOf(params, 'ref'), 'name'],
    [memberOf(params, 'ref'), 'uri'],
    [memberOf(params, 'ref'), 'type'],
    [memberOf(params, 'notifications'), 'resourceSubscriptions'],
    [memberOf(params, '_meta'), VERSION_KEY],
  ] as const);
}

/** What an attacker would rather have there. */
function smuggled(key: string): Written {
  switch (key) {
    case 'method':
      return written('tools/call');
    case 'params':
      return written({ name: MARKER, uri: `file:///${MARKER}`, arguments: {} });
    case 'id':
      return { text: '99' };
    case 'uri':
      return written(`file:///${MARKER}`);
    case 'ref':
      return written({ type: 'ref/prompt', name: MARKER });
    case 'type':
      return written('ref/resource');
    case 'resourceSubscriptions':
      return written([`file:///${MARKER}`]);
    case 'arguments':
    case '_meta':
      return written({ other: true });
    default:
      return written(MARKER);
  }
}

const WRONG = ['null', '7', '1.0', 'true', '[]', '{}', '"x"', '[{"name":"safe-1"}]', '-0', '1e400', '12345678901234567890123'];

function caseVariant(key: string, choices: Choices): string {
  return choices.of([
    key.toUpperCase(),
    key.slice(0, 1).toUpperCase() + key.slice(1),
    key.replace('s', '\u017f').replace('k', '\u212a'),
    key.replace('i', '\u0130'),
    `${key.slice(0, -1)}${key.slice(-1).toUpperCase()}`,
    `${key} `,
  ]);
}

function mutate(message: Written, choices: Choices): void {
  const [holder, key] = governingPlace(message, choices);
  if (holder === undefined || !('members' in holder)) return;
  const { members } = holder;
  const insert = (member: [string, Written]) => void (choices.chance(50) ? members.unshift(member) : members.push(member));
  switch (choices.below(9)) {
    case 0:
    case 1:
      return insert([key, smuggled(key)]);
    case 2:
    case 3:
      return insert([caseVariant(key, choices), smuggled(key)]);
    case 4:
      return setMember(holder, key, { text: choices.of(WRONG) });
    case 5:
      return dropMember(holder, key);
    case 6:
      return insert([choices.of(['__proto__', 'constructor', 'extra', 'Extra', '']), smuggled('params')]);
    case 7:
      return setMember(memberOf(message, 'params'), 'arguments', { text: choices.of(ARGUMENTS) });
    default:
      return setMember(holder, key, smuggled(key));
  }
}

const nested = (depth: number) => `${'[{"a":'.repeat(depth / 2)}1${'}]'.repeat(depth / 2)}`;
const ARGUMENTS = [
  nested(20),
  nested(58),
  nested(80),
  nested(2_000),
  '{"n":12345678901234567890123,"m":1e400,"z":-0.0}',
  '{"a":1,"A":2}',
  '{"a":1,"a":2}',
  '{"a":{"b":1,"\\u0062":2}}',
  '{"s":"\\ud800"}',
  '{"\\ud800":1}',
  '{"s":"\\ud83d\\ude00"}',
  '{"__proto__":{"name":"x"}}',
  '[]',
];

const TAILS = ['x', '}', '{"method":"tools/call"}', '\u0000', ',', '\n{}', '/* */', '\ufeff'];

/** The text as bytes, sometimes broken on the way. */
function bytesOf(message: Written, mutations: number, choices: Choices): Buffer {
  const text = textOf(message, choices);
  if (mutations === 0 || !choices.chance(25)) return Buffer.from(text);
  const bytes = Buffer.from(text);
  switch (choices.below(7)) {
    case 0:
      return Buffer.from(`\ufeff${text}`);
    case 1: {
      const at = choices.below(bytes.length);
      return Buffer.concat([bytes.subarray(0, at), Buffer.of(choices.of([0xff, 0xc0, 0x80, 0xed, 0xf8])), bytes.subarray(at)]);
    }
    case 2:
      return Buffer.from(text + choices.of(TAILS));
    case 3:
      return bytes.subarray(0, choices.below(bytes.length));
    case 4:
      return Buffer.from(text, 'utf16le');
    case 5:
      return Buffer.from(text.replace(',', choices.of([',,', ', /* */', ';', ',\u00a0'])));
    default:
      return Buffer.from(text.replaceAll('"', choices.of(["'", '"', '\u201c'])));
  }
}

const CONTENT_TYPES = [
  'Application/JSON; Charset=UTF-8',
  'application/json;charset="utf-8"',
  'text/plain',
  'application/json; charset=utf-16',
  'application/jsonp',
  'application/json, text/plain',
  '',
];

const named: Readonly<Record<string, string>> = { 'tools/call': 'name', 'prompts/get': 'name', 'resources/read': 'uri' };

function fieldsOf(method: string, params: unknown, isModern: boolean, isMutated: boolean, choices: Choices): string[] {
  const fields: string[] = ['content-type', isMutated && choices.chance(40) ? choices.of(CONTENT_TYPES) : 'application/json'];
  if (isMutated && choices.chance(20)) fields.push('content-encoding', choices.of(['gzip', 'Identity', 'br', 'identity, gzip']));
  if (!isModern && !(isMutated && choices.chance(40))) return fields;
  const name = (params as Record<string, unknown> | undefined)?.[named[method] ?? ''];
  const standard: [string, string][] = [
    ['mcp-protocol-version', isModern ? '2026-07-28' : '2025-11-25'],
    ['mcp-method', method],
  ];
  if (typeof name === 'string') standard.push(['mcp-name', headerValue(name)]);
  if (isMutated) {
    const at = choices.below(standard.length);
    const field = standard[at] as [string, string];
    const other = choices.of(['2025-11-25', 'tools/list', 'safe-1', MARKER, '2026-07-29', '']);
    if (choices.chance(40)) standard[at] = [choices.of([field[0], field[0].toUpperCase()]), other];
    else if (choices.chance(50)) standard.push([field[0], other]);
    else standard.splice(at, 1);
  }
  return [...fields, ...standard.flat()];
}

function headerValue(text: string): string {
  return /^[\x21-\x7e]+$/.test(text) ? text : `=?base64?${Buffer.from(text).toString('base64')}?=`;
}

export const REQUEST = SPEC;
