import type { ClientAnswers } from './client-answers.ts';
import type { Inbox } from './inbox.ts';

export const CLIENT_INFO = { name: 'sdk-client-test', version: '1.0.0' };

/** How long a call may take: far longer than any here does, but no reason to wait for the SDK's own minute. */
export const CALL_TIMEOUT_MS = 20_000;

export interface CallOptions {
  readonly onProgress?: (progress: unknown) => void;
  readonly signal?: AbortSignal;
}

export interface CompleteParams {
  readonly ref: { type: 'ref/prompt'; name: string } | { type: 'ref/resource'; uri: string };
  readonly argument: { name: string; value: string };
  readonly context?: { arguments: Record<string, string> };
}

/** What both lines of the TypeScript SDK can do on any transport, under the names of the newer one. Every call goes through the SDK's own method. */
export interface McpClient {
  readonly inbox: Inbox;
  readonly answers: ClientAnswers;
  /** Errors that the SDK reported on the side. */
  readonly troubles: Error[];
  handshake(): Readonly<Record<string, unknown>>;
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
  close(): Promise<void>;
}

/** What the clients of both lines have in common. */
interface CommonSdk {
  getServerCapabilities(): unknown;
  getServerVersion(): unknown;
  getInstructions(): string | undefined;
  ping(): Promise<unknown>;
  listTools(): Promise<unknown>;
  listPrompts(): Promise<unknown>;
  getPrompt(params: { name: string; arguments?: Record<string, string> }): Promise<unknown>;
  listResources(): Promise<unknown>;
  listResourceTemplates(): Promise<unknown>;
  readResource(params: { uri: string }): Promise<unknown>;
  subscribeResource(params: { uri: string }): Promise<unknown>;
  unsubscribeResource(params: { uri: string }): Promise<unknown>;
  complete(params: CompleteParams): Promise<unknown>;
  setLoggingLevel(level: 'debug' | 'error'): Promise<unknown>;
  sendRootsListChanged(): Promise<unknown>;
}

/** The part of a client that is the same in both lines. */
export function commonSurface(sdk: CommonSdk) {
  return {
    handshake: () => ({
      capabilities: sdk.getServerCapabilities(),
      server: sdk.getServerVersion(),
      instructions: sdk.getInstructions(),
    }),
    ping: () => sdk.ping(),
    listTools: () => sdk.listTools(),
    listPrompts: () => sdk.listPrompts(),
    getPrompt: (name: string, args?: Record<string, string>) => sdk.getPrompt({ name, ...(args && { arguments: args }) }),
    listResources: () => sdk.listResources(),
    listResourceTemplates: () => sdk.listResourceTemplates(),
    readResource: (uri: string) => sdk.readResource({ uri }),
    subscribeResource: (uri: string) => sdk.subscribeResource({ uri }),
    unsubscribeResource: (uri: string) => sdk.unsubscribeResource({ uri }),
    complete: (params: CompleteParams) => sdk.complete(params),
    setLoggingLevel: (level: 'debug' | 'error') => sdk.setLoggingLevel(level),
    sendRootsListChanged: () => sdk.sendRootsListChanged(),
  };
}

/** Call options as both lines take them. */
export function requestOptions({ onProgress, signal }: CallOptions) {
  return { timeout: CALL_TIMEOUT_MS, ...(onProgress && { onprogress: onProgress }), ...(signal && { signal }) };
}
