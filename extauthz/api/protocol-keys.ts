/**
 * Keys that MCP defines for the objects that decide what a message does. Some servers match keys without regard to case,
 * so `Name` beside `name` would be judged as one tool and run as another (CVE-2026-27896). Keys inside `params.arguments`
 * belong to the tool and are not looked at.
 */
export class ProtocolKeys {
  readonly #exact: ReadonlySet<string>;
  readonly #folded: ReadonlySet<string>;

  constructor(keys: readonly string[]) {
    this.#exact = new Set(keys);
    this.#folded = new Set(keys.map(foldCase));
  }

  has(key: string): boolean {
    return this.#exact.has(key);
  }

  /** The first key that differs only by case from one that MCP defines, or from another one in the same object. */
  variantIn(object: object): string | undefined {
    let others: Set<string> | undefined;
    for (const key in object) {
      if (this.#exact.has(key)) continue;
      const folded = foldCase(key);
      if (this.#folded.has(folded) || others?.has(folded)) return key;
      others ??= new Set();
      others.add(folded);
    }
    return undefined;
  }
}

/**
 * Maps every spelling that some case-insensitive parser takes for the same key to one text.
 * By way of upper case, so that U+017F (long s), U+212A (Kelvin sign) and dotless i become the ASCII letters that parsers make of them.
 */
export function foldCase(key: string): string {
  return key.toUpperCase().replaceAll('\u0130', 'I').toLowerCase();
}

export const ENVELOPE_KEYS = new ProtocolKeys(['jsonrpc', 'id', 'method', 'params', 'result', 'error']);

export const PARAMS_KEYS = new ProtocolKeys([
  '_meta',
  'argument',
  'arguments',
  'capabilities',
  'clientInfo',
  'context',
  'cursor',
  'inputResponses',
  'level',
  'message',
  'name',
  'notifications',
  'progress',
  'progressToken',
  'protocolVersion',
  'reason',
  'ref',
  'requestId',
  'requestState',
  'task',
  'taskId',
  'total',
  'uri',
]);

export const META_KEYS = new ProtocolKeys([
  'baggage',
  'io.modelcontextprotocol/clientCapabilities',
  'io.modelcontextprotocol/clientInfo',
  'io.modelcontextprotocol/logLevel',
  'io.modelcontextprotocol/protocolVersion',
  'io.modelcontextprotocol/related-task',
  'io.modelcontextprotocol/subscriptionId',
  'progressToken',
  'traceparent',
  'tracestate',
]);

/** Objects inside `params`, other than `_meta`, that name what the message reaches. */
export const NESTED_PARAMS_KEYS: Readonly<Record<string, ProtocolKeys>> = {
  /** What `completion/complete` completes. */
  ref: new ProtocolKeys(['type', 'name', 'uri']),
  /** What `subscriptions/listen` listens to. */
  notifications: new ProtocolKeys(['toolsListChanged', 'promptsListChanged', 'resourcesListChanged', 'resourceSubscriptions', 'taskIds']),
};
