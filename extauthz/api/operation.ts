import { fail, ok, type Result } from './result.ts';

/** What policy is asked about: the Cedar action group and the kind of resource it applies to. */
export type Action = 'Connect' | 'CallTool' | 'GetPrompt' | 'ReadResource' | 'SendMethod' | 'AskClient';

export interface Operation {
  readonly action: Action;
  /** Tool or prompt name, resource URI, or method name; empty for `Connect`, whose resource is the server itself. */
  readonly target: string;
}

/** Names for traffic that carries no JSON-RPC request of the client's own. They cannot clash: JSON-RPC methods never start with `http/`. */
export const HTTP_METHODS = {
  /** The legacy GET stream on which the server sends requests and notifications. */
  stream: 'http/stream',
  /** The legacy DELETE that ends a session. */
  endSession: 'http/end-session',
  /** A GET of the document that says who authorizes agents at a server (RFC 9728). */
  resourceMetadata: 'http/resource-metadata',
  /** A JSON-RPC response from the client to a server's request (legacy only). */
  clientResponse: 'http/client-response',
  /** A request from the server to the client (sampling, elicitation, roots); its method is the parameter `method`. */
  serverRequest: 'http/server-request',
  /** A `tasks/*` request, from an enforcement point that knows whose task it is: parameters `method` and, where one task is meant, the `tool` that made it. */
  task: 'http/task',
} as const;

/** The list of the caller's tasks (2025-11-25). It has no items that policy could name: it shows the tasks of the tools that the caller may call. */
export const TASK_LIST = 'tasks/list';
/** Requests about tasks that MCP defines: 2025-11-25, and the extension `io.modelcontextprotocol/tasks` of 2026-07-28. */
export const TASK_METHODS: ReadonlySet<string> = new Set(['tasks/get', 'tasks/result', 'tasks/update', 'tasks/cancel', TASK_LIST]);

/** A list method: where its items sit in the result, what names an item, and the action that decides whether it is shown. */
export interface ListMethod {
  readonly itemsKey: 'tools' | 'prompts' | 'resources' | 'resourceTemplates';
  readonly nameKey: 'name' | 'uri' | 'uriTemplate';
  readonly action: Action;
}

/** The list methods of MCP, by method name. Every list answer is filtered by the action that decides the matching call. */
export const LIST_METHODS: ReadonlyMap<string, ListMethod> = new Map([
  ['tools/list', { itemsKey: 'tools', nameKey: 'name', action: 'CallTool' }],
  ['prompts/list', { itemsKey: 'prompts', nameKey: 'name', action: 'GetPrompt' }],
  ['resources/list', { itemsKey: 'resources', nameKey: 'uri', action: 'ReadResource' }],
  ['resources/templates/list', { itemsKey: 'resourceTemplates', nameKey: 'uriTemplate', action: 'ReadResource' }],
]);

const CONNECT_METHODS: ReadonlySet<string> = new Set([
  'initialize',
  'ping',
  'server/discover',
  'logging/setLevel',
  'subscriptions/listen',
  'notifications/initialized',
  'notifications/cancelled',
  'notifications/progress',
  'notifications/roots/list_changed',
  ...LIST_METHODS.keys(),
  HTTP_METHODS.stream,
  HTTP_METHODS.endSession,
  HTTP_METHODS.resourceMetadata,
  HTTP_METHODS.clientResponse,
]);

export interface MissingTarget {
  readonly kind: 'missing_target';
  /** The parameter that should have held a name or URI, for example `params.name`. */
  readonly parameter: string;
}

type Params = Readonly<Record<string, unknown>> | undefined;

function named(action: Action, parameter: string, value: unknown): Result<Operation, MissingTarget> {
  return typeof value === 'string' ? ok({ action, target: value }) : fail({ kind: 'missing_target', parameter });
}

function resource(parameter: string, uri: unknown): Result<Operation, MissingTarget> {
  return typeof uri === 'string' && isNormalUri(uri)
    ? ok({ action: 'ReadResource', target: uri })
    : fail({ kind: 'missing_target', parameter });
}

/**
 * Whether a URI is written the way in which a URL parser leaves it. Policy judges the text, but servers look up what their parser makes of it:
 * `file:///public/../secret`, `FILE:///secret` and `http://h:80/secret` are other resources there (WHATWG URL, section 4.4).
 */
export function isNormalUri(uri: string): boolean {
  return URL.canParse(uri) ? new URL(uri).href === uri : !/\p{Cc}|^ | $/u.test(uri);
}

/**
 * Maps a JSON-RPC method and its parameters to the operation that policy decides.
 * Any method that MCP does not define becomes `SendMethod`, which nothing permits unless a policy names it.
 */
export function operationOf(method: string, params: Params): Result<Operation, MissingTarget> {
  switch (method) {
    case 'tools/call':
      return named('CallTool', 'params.name', params?.['name']);
    case 'prompts/get':
      return named('GetPrompt', 'params.name', params?.['name']);
    case 'resources/read':
    case 'resources/subscribe':
    case 'resources/unsubscribe':
      return resource('params.uri', params?.['uri']);
    case 'completion/complete':
      return completionOperation(params?.['ref']);
    case HTTP_METHODS.serverRequest:
      return named('AskClient', 'params.method', params?.['method']);
    case HTTP_METHODS.task:
      return named('SendMethod', 'params.method', params?.['method']);
    default:
      return ok(CONNECT_METHODS.has(method) ? { action: 'Connect', target: '' } : { action: 'SendMethod', target: method });
  }
}

/** Completions reveal values of the prompt or resource they refer to, so they need the same permission. */
function completionOperation(ref: unknown): Result<Operation, MissingTarget> {
  if (typeof ref === 'object' && ref !== null) {
    const { type, name, uri } = ref as Record<string, unknown>;
    if (type === 'ref/prompt') return named('GetPrompt', 'params.ref.name', name);
    // A template is no URI yet: it is looked up as it is written.
    if (type === 'ref/resource') return named('ReadResource', 'params.ref.uri', uri);
  }
  return fail({ kind: 'missing_target', parameter: 'params.ref' });
}
