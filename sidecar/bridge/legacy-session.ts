import { HTTP_METHODS } from '../../extauthz/api/operation.ts';
import { fail, type Result } from '../../extauthz/api/result.ts';
import { type Refusal, upstreamFailed } from '../denial.ts';
import type { Route } from '../routes.ts';
import type { BridgeOptions } from './bridge-options.ts';
import type { Caller } from './caller.ts';
import type { JsonObject, JsonText } from './json-text.ts';
import type { LegacyCall } from './legacy-call.ts';
import type { LegacyListening } from './legacy-listening.ts';
import { legacyHeaders, type SessionFields } from './legacy-request.ts';
import { errorResponse, type Message, resultResponse } from './message.ts';
import { METHOD_NOT_FOUND } from './meta-keys.ts';
import type { Answered, ServerWire } from './server-wire.ts';
import { SessionStream } from './session-stream.ts';

export interface LegacySessionOptions {
  readonly bridge: BridgeOptions;
  readonly wire: ServerWire;
  readonly route: Route;
  readonly userId: string;
  readonly key: string;
  /** What the client declared. */
  readonly capabilities: JsonObject;
  readonly fields: SessionFields;
  /** The answer to `initialize`. */
  readonly handshake: JsonText;
  /** Called once, when the server is found to know the session no longer. */
  readonly onExpired: (session: LegacySession) => void;
}

/** Answers and notifications of the bridge that the server has not taken. */
const MAX_SAYING = 512;
const EXPIRED = 404;

/** A session with a legacy server, held for one user's modern requests. */
export class LegacySession {
  readonly #options: LegacySessionOptions;
  readonly #calls = new Map<number, LegacyCall>();
  readonly #listenings = new Set<LegacyListening>();
  /** Whoever used it last. */
  #caller: Caller;
  #lastNumber = 0;
  #logLevel: string | undefined;
  readonly #stream: SessionStream;
  #saying = 0;
  #isExpired = false;
  #isOver = false;
  lastUsedMs: number;

  constructor(options: LegacySessionOptions, caller: Caller) {
    this.#options = options;
    this.#caller = caller;
    this.lastUsedMs = options.bridge.clock.monotonicMs();
    this.#stream = new SessionStream({
      wire: options.wire,
      fields: options.fields,
      authorize: () => this.#authorize(HTTP_METHODS.stream),
      isNeeded: () => !this.isIdle,
      onMessage: (message) => this.#takeOfSession(message),
      onLost: () => {
        for (const listening of [...this.#listenings]) listening.end();
      },
    });
  }

  get wire(): ServerWire {
    return this.#options.wire;
  }

  get fields(): SessionFields {
    return this.#options.fields;
  }

  get route(): Route {
    return this.#options.route;
  }

  get userId(): string {
    return this.#options.userId;
  }

  get key(): string {
    return this.#options.key;
  }

  get capabilities(): JsonObject {
    return this.#options.capabilities;
  }

  get handshake(): JsonText {
    return this.#options.handshake;
  }

  get isIdle(): boolean {
    return this.#calls.size === 0 && this.#listenings.size === 0;
  }

  get callCount(): number {
    return this.#calls.size;
  }

  touch(caller: Caller): void {
    this.#caller = caller;
    this.lastUsedMs = this.#options.bridge.clock.monotonicMs();
  }

  /** A number under which the server knows the call. */
  opened(call: LegacyCall): number {
    const number = this.number();
    this.#calls.set(number, call);
    return number;
  }

  closed(number: number): void {
    this.#calls.delete(number);
    if (this.#isExpired && this.#calls.size === 0) this.end(this.#goneRefusal());
  }

  number(): number {
    this.#lastNumber += 1;
    return this.#lastNumber;
  }

  /** Takes note of a fault in what nobody waits for. */
  faulted(error: unknown): void {
    this.#options.bridge.logger.error({ err: error, server: this.route.name }, 'fault in a bridged session');
  }

  /** Says what the server only accepts: an answer, or a notification. */
  async respond(caller: Caller, body: Uint8Array): Promise<Result<undefined, Refusal>> {
    if (this.#isOver) return fail(this.#goneRefusal());
    // A server that asks without end does not get answers without end.
    if (this.#saying >= MAX_SAYING) return fail(upstreamFailed('upstream_answer', `the server ${this.route.name} asks too much`));
    this.#saying += 1;
    try {
      return await this.wire.tell(caller.permit, legacyHeaders(caller, this.fields), body);
    } finally {
      this.#saying -= 1;
    }
  }

  /** The same, when nobody waits to hear how it went. */
  tell(caller: Caller, body: Uint8Array): void {
    this.respond(caller, body).catch((error: unknown) => this.faulted(error));
  }

  /** Asks something of the bridge's own. */
  async ask(caller: Caller, method: string, params: JsonObject): Promise<Result<Answered, Refusal>> {
    const id = this.number();
    const body = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
    const asked = await this.wire.ask(caller.permit, legacyHeaders(caller, this.fields), body, String(id));
    if (asked.ok && asked.value.status === EXPIRED) this.expired();
    return asked;
  }

  /** The level from which the server logs; it has one for the whole session. */
  async setLogLevel(caller: Caller, level: string): Promise<void> {
    if (level === this.#logLevel || this.handshake.objectAt('result', 'capabilities', 'logging') === undefined) return;
    this.#logLevel = level;
    await this.ask(caller, 'logging/setLevel', { level });
  }

  /** The subscription may have been open for long, so this is decided anew; without leave it stays until the session ends. */
  async unsubscribe(caller: Caller, uri: string): Promise<void> {
    const method = 'resources/unsubscribe';
    const params = Buffer.from(JSON.stringify({ uri }));
    const authorized = await this.#options.bridge.authorize(caller, { method, target: uri, params });
    if (authorized.ok && !this.#isOver) await this.ask(authorized.value, method, { uri });
  }

  listen(listening: LegacyListening): void {
    this.#listenings.add(listening);
  }

  unlisten(listening: LegacyListening): void {
    this.#listenings.delete(listening);
  }

  /** Whether another open subscription wants this resource. */
  isWanted(uri: string): boolean {
    return [...this.#listenings].some(({ uris }) => uris.has(uri));
  }

  /** Settles when calls may be made: if the client may be asked anything, with the stream open on which a server could ask. */
  async ready(caller: Caller): Promise<void> {
    const { capabilities } = this;
    if ('elicitation' in capabilities || 'sampling' in capabilities || 'roots' in capabilities) await this.openStream(caller);
  }

  /** Opens the stream for what belongs to no call, once; false when the server has none. */
  openStream(caller: Caller): Promise<boolean> {
    return this.#stream.open(caller);
  }

  takeNotification(message: Message): void {
    const { method, json } = message;
    if (method === 'notifications/progress') this.#calls.get(Number(json.at('params', 'progressToken')))?.takeProgress(message);
    else for (const listening of this.#listenings) listening.take(message);
  }

  /** The server knows the session no longer. Calls that are open get what is left of their answers. */
  expired(): void {
    if (this.#isOver || this.#isExpired) return;
    this.#isExpired = true;
    this.#options.onExpired(this);
    for (const listening of [...this.#listenings]) listening.end();
    if (this.#calls.size === 0) this.end(this.#goneRefusal());
  }

  end(refusal: Refusal): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#stream.close();
    for (const call of [...this.#calls.values()]) call.end(refusal);
    for (const listening of [...this.#listenings]) listening.end();
  }

  /** Ends it at the server as well, if policy still lets its user. */
  async finish(refusal: Refusal): Promise<void> {
    if (this.#isOver) return;
    this.end(refusal);
    const { fields, wire } = this.#options;
    if (fields.sessionId === undefined) return;
    const authorized = await this.#authorize(HTTP_METHODS.endSession);
    if (!authorized.ok) return;
    const { permit } = authorized.value;
    const headers = legacyHeaders(authorized.value, fields);
    const ignore = () => {};
    wire.open(permit, { method: 'DELETE', headers }, { onHead: () => false, onMessage: ignore, onEnd: ignore, onFail: ignore });
  }

  #authorize(method: string): Promise<Result<Caller, Refusal>> {
    return this.#options.bridge.authorize(this.#caller, { method, target: '', params: new Uint8Array() });
  }

  #goneRefusal(): Refusal {
    return upstreamFailed('upstream_unreachable', `the server ${this.route.name} ended its session`);
  }

  /** What the server says outside of any call. */
  #takeOfSession(message: Message): void {
    if (message.kind === 'response') return;
    if (message.kind === 'notification') return this.takeNotification(message);
    const { idJson = 'null', method } = message;
    const [only, ...others] = this.#calls.values();
    if (only !== undefined && others.length === 0) return only.takeRequest(message);
    // Whose business it is cannot be told, and a modern client is asked only about a call of its own.
    const answer =
      method === 'ping' ? resultResponse(idJson, '{}') : errorResponse(idJson, METHOD_NOT_FOUND, 'no one call is open to ask about');
    this.tell(this.#caller, answer);
  }
}
