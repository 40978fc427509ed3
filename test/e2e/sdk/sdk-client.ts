import type { Inbox } from './inbox.ts';
import type { Wire } from './wire.ts';

export const CLIENT_INFO = { name: 'sdk-client-test', version: '1.0.0' };

export interface CallOptions {
  readonly onProgress?: (progress: unknown) => void;
  readonly signal?: AbortSignal;
}

/** How long a call may take: far longer than any here does, but no reason to wait for the SDK's own minute. */
export const CALL_TIMEOUT_MS = 20_000;

export interface ConnectOptions {
  /** How often a stream that ends is taken up again; none unless given. The SDK also does so after each error answer, and a replay repeats requests of the server. */
  readonly maxRetries?: number;
  /** A session to go on with, without another handshake. */
  readonly sessionId?: string;
}

/** What both lines of the TypeScript SDK can do, under the names of the newer one. Every call goes through the SDK's own method. */
export interface SdkClient {
  readonly wire: Wire;
  readonly inbox: Inbox;
  readonly answers: ClientAnswers;
  /** Errors that the SDK reported on the side. */
  readonly troubles: Error[];
  handshake(): unknown;
  ping(): Promise<unknown>;
  listTools(): Promise<unknown>;
  callTool(name: string, args?: Record<string, unknown>, options?: CallOptions): Promise<unknown>;
  listPrompts(): Promise<unknown>;
  getPrompt(name: string, args?: Record<string, string>): Promise<unknown>;
  listResources(): Promise<unknown>;
  listResourceTemplates(): Promise<unknown>;
  readResource(uri: string): Promise<unknown>;
  subscribeResource(uri: string): Promise<unknown>;
  unsubscribeResource(uri: string): Promise<unknown>;
  complete(params: CompleteParams): Promise<unknown>;
  setLoggingLevel(level: 'debug' | 'error'): Promise<unknown>;
  sendRootsListChanged(): Promise<unknown>;
  /** Any method, those that MCP does not define among them. */
  request(method: string, params?: Record<string, unknown>): Promise<unknown>;
  /** Ends the session with DELETE. */
  terminateSession(): Promise<unknown>;
  close(): Promise<void>;
}

export interface CompleteParams {
  readonly ref: { type: 'ref/prompt'; name: string } | { type: 'ref/resource'; uri: string };
  readonly argument: { name: string; value: string };
  readonly context?: { arguments: Record<string, string> };
}

export type ElicitAnswer =
  | { action: 'accept'; content?: Record<string, string | number | boolean | string[]> }
  | { action: 'decline' }
  | { action: 'cancel' };

/** How the client answers what a server asks of it, and what it was asked. */
export class ClientAnswers {
  readonly asked: unknown[] = [];
  elicitation: ElicitAnswer = { action: 'accept', content: { name: 'Ada Lovelace', check: true, integer: 7 } };
  roots = [{ uri: 'file:///projects/one', name: 'one' }];

  elicit(params: unknown): ElicitAnswer {
    this.asked.push(params);
    return this.elicitation;
  }

  sample(params: unknown): { model: string; role: 'assistant'; stopReason: string; content: { type: 'text'; text: string } } {
    this.asked.push(params);
    return {
      model: 'test-model',
      role: 'assistant',
      stopReason: 'endTurn',
      content: { type: 'text', text: 'A sampled answer: ä ∀ "quoted"' },
    };
  }

  listRoots(): { roots: { uri: string; name: string }[] } {
    return { roots: this.roots };
  }

  /** What was asked since the last time. */
  take(): unknown[] {
    return this.asked.splice(0);
  }
}
