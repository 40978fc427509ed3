/** What every hidden name has in it. */
export const MARKER = 'hidden-7f3a';

const CONNECT: ReadonlySet<string> = new Set([
  'initialize',
  'ping',
  'server/discover',
  'logging/setLevel',
  'tools/list',
  'prompts/list',
  'resources/list',
  'resources/templates/list',
  'notifications/initialized',
  'notifications/cancelled',
  'notifications/progress',
  'notifications/roots/list_changed',
  'http/stream',
  'http/end-session',
  'http/client-response',
]);

type Members = Readonly<Record<string, unknown>>;

const membersOf = (value: unknown): Members => (typeof value === 'object' && value !== null ? (value as Members) : {});

/** Tools, prompts and methods. */
export function isPermittedName(name: unknown): boolean {
  return typeof name === 'string' && /^safe-\w+$/.test(name);
}

/** Resources and templates, as a server finds them that normalises what it is given. */
export function isPermittedUri(uri: unknown): boolean {
  return typeof uri === 'string' && (URL.canParse(uri) ? new URL(uri).href : uri).startsWith('file:///public/');
}

/**
 * Whether the message may be sent, decided by its method and parameters alone and apart from the product's own mapping. Members are looked up in lower case
 * as well, for readers that fold them.
 */
export function isPermitted(method: unknown, params: unknown): boolean {
  const { name, uri, ref, notifications } = membersOf(params);
  switch (method) {
    case 'tools/call':
    case 'prompts/get':
      return isPermittedName(name);
    case 'resources/read':
    case 'resources/subscribe':
    case 'resources/unsubscribe':
      return isPermittedUri(uri);
    case 'completion/complete': {
      const { type, name: prompt, uri: template } = membersOf(ref);
      return type === 'ref/prompt' ? isPermittedName(prompt) : type === 'ref/resource' && isPermittedUri(template);
    }
    case 'subscriptions/listen': {
      const { resourceSubscriptions, resourcesubscriptions = resourceSubscriptions } = membersOf(notifications);
      if (resourcesubscriptions === undefined) return true;
      return Array.isArray(resourcesubscriptions) && resourcesubscriptions.every(isPermittedUri);
    }
    case 'http/server-request':
      return membersOf(params)['method'] === 'elicitation/create';
    default:
      return typeof method === 'string' && (CONNECT.has(method) || method === 'vendor/safe');
  }
}
