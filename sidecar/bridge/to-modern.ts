import { rejected, unknownSession } from '../denial.ts';
import type { Permit } from '../permit.ts';
import type { AnswerHandler } from '../relay.ts';
import type { Route } from '../routes.ts';
import type { ServerLeg } from '../server-leg.ts';
import type { AnswerStream } from '../stdio/answer-stream.ts';
import type { BridgeOptions } from './bridge-options.ts';
import { answering, reject } from './bridged-answer.ts';
import type { Caller } from './caller.ts';
import { isObject } from './json-text.ts';
import { initializeResult, negotiatedVersion, withoutTasks } from './legacy-answer.ts';
import { isLogLevel } from './log-level.ts';
import { errorResponse, isSameId, type Message, readMessage, resultResponse } from './message.ts';
import { INVALID_PARAMS, METHOD_NOT_FOUND } from './meta-keys.ts';
import { ModernCall } from './modern-call.ts';
import { ModernListening } from './modern-listening.ts';
import { type ClientDeclaration, tooMuchDeclared } from './modern-request.ts';
import { announcedLists, ModernServers } from './modern-server.ts';
import type { ModernSession } from './modern-session.ts';
import { ServerWire } from './server-wire.ts';

const MAX_SESSIONS = 1_000;
const MAX_OF_USER = 256;
const MAX_CALLS = 256;
const MAX_SWEEP_MS = 30_000;
/** What the legacy revisions do not have, or have in a form that is not translated. */
const NOT_TRANSLATED = /^(?:tasks\/|server\/discover$|subscriptions\/listen$)/;

/**
 * The leg from agents of the `initialize` revisions to servers that speak only 2026-07-28. Sessions exist only here; the server sees one whole
 * request after the other, each with what the session's agent has said about itself.
 */
export class ToModern implements ServerLeg {
  readonly #options: BridgeOptions;
  readonly #wire: ServerWire;
  readonly #servers: ModernServers;
  readonly #sessions = new Map<string, ModernSession>();
  readonly #sweep: NodeJS.Timeout;

  constructor(options: BridgeOptions) {
    this.#options = options;
    this.#wire = new ServerWire(options);
    this.#servers = new ModernServers(this.#wire, options.clock);
    this.#sweep = setInterval(() => this.#endIdle(), Math.min(options.idleMs / 2, MAX_SWEEP_MS)).unref();
  }

  post(permit: Permit, headers: Record<string, string>, body: Uint8Array, handler: AnswerHandler): void {
    answering(permit, headers, handler, this.#options.logger, async (answer, userId) => {
      const read = readMessage(body);
      // What the request path lets through can be read; anything else is a fault.
      if (!read.ok) throw new Error(`a judged message cannot be read: ${read.failure}`);
      const message = read.value;
      const caller = { permit, headers };
      const opens = message.kind === 'request' && message.method === 'initialize';
      const id = headers['mcp-session-id'];
      if (id === undefined && opens) return this.#open(caller, userId, message, answer);
      if (id === undefined) return reject(answer, rejected('unknown_session', 400, 'the Mcp-Session-Id header is missing'), message.idJson);
      const session = this.#session(id, permit.route, userId);
      if (session === undefined) return reject(answer, unknownSession(), message.idJson);
      if (opens) return reject(answer, rejected('unknown_session', 400, 'the session is initialized already'), message.idJson);
      session.lastUsedMs = this.#options.clock.monotonicMs();
      if (message.kind === 'request') return this.#request(session, caller, message, answer);
      answer.status(202);
      if (message.kind === 'response') this.#response(session, caller, message);
      else this.#notification(session, message);
    });
  }

  stream(permit: Permit, method: string | undefined, headers: Record<string, string>, handler: AnswerHandler): void {
    answering(permit, headers, handler, this.#options.logger, async (answer, userId) => {
      const id = headers['mcp-session-id'];
      if (id === undefined) return answer.status(405, { allow: 'POST' });
      const session = this.#session(id, permit.route, userId);
      if (session === undefined) return reject(answer, unknownSession(), undefined);
      session.lastUsedMs = this.#options.clock.monotonicMs();
      if (method === 'DELETE') {
        answer.status(200);
        this.#end(session);
      } else if (answer.canStream) session.listening.attach({ permit, headers }, answer);
      else answer.status(406);
    });
  }

  /** Ends sessions whose server is no longer registered as it was. */
  reconcile(): void {
    for (const session of this.#sessions.values()) {
      const now = this.#options.routeOf(session.route.name);
      if (now?.bridgeTo !== 'modern' || now.url.href !== session.route.url.href) this.#end(session);
    }
  }

  close(): void {
    clearInterval(this.#sweep);
    for (const session of this.#sessions.values()) this.#end(session);
  }

  async #open(caller: Caller, userId: string, message: Message, answer: AnswerStream): Promise<void> {
    const { clock, logger, newId } = this.#options;
    const { route } = caller.permit;
    const { json, idJson = 'null' } = message;
    const clientInfo = json.objectAt('params', 'clientInfo') && json.written('params', 'clientInfo');
    const capabilities = withoutTasks(json.objectAt('params', 'capabilities') && json.written('params', 'capabilities'));
    const tooMuch = tooMuchDeclared(capabilities, clientInfo);
    if (tooMuch !== undefined) return reject(answer, tooMuch, message.idJson);
    const declared: ClientDeclaration = { clientInfo, capabilities, logLevel: undefined };
    const discovered = await this.#servers.discover(caller, declared);
    if (!discovered.ok) return answer.fail(discovered.failure);
    const serverCapabilities = discovered.value.objectAt('result', 'capabilities') ?? {};
    const { resources } = serverCapabilities;
    if (!this.#hasRoom(userId))
      return reject(answer, rejected('unknown_session', 503, 'too many sessions are open in this sidecar'), message.idJson);
    const session: ModernSession = {
      id: newId(),
      route,
      userId,
      capabilities: JSON.parse(capabilities),
      declared,
      hasLog: isObject(serverCapabilities['logging']),
      calls: new Set(),
      awaiting: new Map(),
      listening: new ModernListening({
        wire: this.#wire,
        server: route.name,
        declared,
        lists: announcedLists(serverCapabilities),
        canSubscribe: isObject(resources) && resources['subscribe'] === true,
        newId,
        logger,
      }),
      lastUsedMs: clock.monotonicMs(),
    };
    this.#sessions.set(session.id, session);
    answer.setField('mcp-session-id', session.id);
    const version = negotiatedVersion(json.at('params', 'protocolVersion'));
    answer.finish(resultResponse(idJson, initializeResult(discovered.value, version, route.name)));
  }

  async #request(session: ModernSession, caller: Caller, message: Message, answer: AnswerStream): Promise<void> {
    const { method, idJson = 'null', json } = message;
    const done = () => answer.finish(resultResponse(idJson, '{}'));
    if (method === 'ping') return done();
    if (method === 'logging/setLevel' && session.hasLog) {
      const level = json.at('params', 'level');
      if (!isLogLevel(level)) return answer.finish(errorResponse(idJson, INVALID_PARAMS, 'params.level is no log level'));
      session.declared = { ...session.declared, logLevel: JSON.stringify(level) };
      return done();
    }
    if (method === 'resources/subscribe' || method === 'resources/unsubscribe') {
      const uri = String(json.at('params', 'uri'));
      const { listening } = session;
      const changed = await (method === 'resources/subscribe' ? listening.subscribe(caller, uri) : listening.unsubscribe(caller, uri));
      return changed.ok ? done() : answer.fail(changed.failure);
    }
    if (NOT_TRANSLATED.test(method) || method === 'logging/setLevel')
      return answer.finish(errorResponse(idJson, METHOD_NOT_FOUND, 'this server has no such method'));
    if (session.calls.size >= MAX_CALLS)
      return reject(answer, rejected('malformed', 200, `more than ${MAX_CALLS} requests are open in this session`), idJson);
    if (answer.aborted) return;
    const { bridge, wire, servers } = { bridge: this.#options, wire: this.#wire, servers: this.#servers };
    const call: ModernCall = new ModernCall(
      { bridge, wire, servers, session, message, answer, onOver: () => session.calls.delete(call) },
      caller,
    );
    session.calls.add(call);
    await call.start();
  }

  #response(session: ModernSession, caller: Caller, message: Message): void {
    const id = message.json.value['id'];
    if (typeof id !== 'string') return;
    const answered = session.awaiting.get(id);
    session.awaiting.delete(id);
    answered?.(message, caller);
  }

  /** What the agent notifies its server of is of no use to one without sessions, but for a cancellation. */
  #notification(session: ModernSession, { method, json }: Message): void {
    if (method !== 'notifications/cancelled') return;
    const idJson = json.written('params', 'requestId');
    if (idJson === undefined) return;
    [...session.calls].findLast((call) => isSameId(call.idJson, idJson))?.cancel();
  }

  /** Somebody else's session is one that does not exist. */
  #session(id: string, route: Route, userId: string): ModernSession | undefined {
    const session = this.#sessions.get(id);
    return session?.userId === userId && session.route.name === route.name && session.route.url.href === route.url.href
      ? session
      : undefined;
  }

  /** An unused session makes room: one of the user's own, or of whoever has most. Nobody can push out, or keep out, the others. */
  #hasRoom(userId: string): boolean {
    const byUser = Map.groupBy(this.#sessions.values(), (session) => session.userId);
    const own = byUser.get(userId) ?? [];
    if (own.length >= MAX_OF_USER) return this.#endOldest(own.filter(isIdle));
    if (this.#sessions.size < MAX_SESSIONS) return true;
    const idle = [...byUser.values()].map((sessions) => sessions.filter(isIdle));
    return this.#endOldest(idle.reduce((most, other) => (other.length > most.length ? other : most), []));
  }

  #endOldest(sessions: readonly ModernSession[]): boolean {
    const [first, ...others] = sessions;
    if (first === undefined) return false;
    this.#end(others.reduce((oldest, other) => (other.lastUsedMs < oldest.lastUsedMs ? other : oldest), first));
    return true;
  }

  #end(session: ModernSession): void {
    this.#sessions.delete(session.id);
    for (const call of [...session.calls]) call.cancel();
    session.listening.close();
  }

  #endIdle(): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const session of this.#sessions.values()) {
      if (isIdle(session) && nowMs - session.lastUsedMs >= this.#options.idleMs) this.#end(session);
    }
  }
}

function isIdle({ calls, listening }: ModernSession): boolean {
  return calls.size === 0 && !listening.isOpen;
}
