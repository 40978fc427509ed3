import { fail, ok, type Result } from '../../extauthz/api/result.ts';
import { type Refusal, upstreamFailed } from '../denial.ts';
import { eraOf, isKnownVersion } from '../mcp/protocol-version.ts';
import type { Permit } from '../permit.ts';
import type { AnswerHandler } from '../relay.ts';
import type { AnswerStream } from '../stdio/answer-stream.ts';
import type { BridgeOptions } from './bridge-options.ts';
import { answering } from './bridged-answer.ts';
import { type Caller, callerKey } from './caller.ts';
import { JsonText, written } from './json-text.ts';
import { withoutTasks } from './legacy-answer.ts';
import { callDigest, LegacyCall } from './legacy-call.ts';
import { LegacyListening } from './legacy-listening.ts';
import { legacyHeaders } from './legacy-request.ts';
import { LegacySession } from './legacy-session.ts';
import { isLogLevel } from './log-level.ts';
import { errorResponse, type Message, readMessage, resultResponse } from './message.ts';
import { INVALID_PARAMS, LEGACY_VERSION, META, METHOD_NOT_FOUND, MODERN_VERSION, UNSUPPORTED_VERSION } from './meta-keys.ts';
import { discoverResult } from './modern-answer.ts';
import { tooMuchDeclared } from './modern-request.ts';
import { ServerWire } from './server-wire.ts';
import { SuspendedCalls } from './suspended-calls.ts';

type Opened = Result<LegacySession, Refusal>;

const MAX_SESSIONS = 1_000;
const MAX_OF_USER = 32;
const MAX_CALLS = 256;
const MAX_SWEEP_MS = 30_000;
/** What 2026-07-28 does not have, or has in a form that is not translated. */
const NOT_TRANSLATED = /^(?:tasks\/|initialize$|ping$|logging\/setLevel$|resources\/(?:un)?subscribe$)/;
const CLIENT_INFO = '{"name":"sidegate","version":"1"}';

/**
 * The leg from agents of 2026-07-28 to servers that speak only the `initialize` revisions. One session with the server serves the requests of one
 * user, with one credential, that declare the same client; the handshake is made once and kept with it.
 */
export class ToLegacy {
  readonly #options: BridgeOptions;
  readonly #wire: ServerWire;
  readonly #suspended: SuspendedCalls;
  readonly #sessions = new Map<string, { readonly userId: string; readonly opened: Promise<Opened> }>();
  /** Those that are open. */
  readonly #open = new Set<LegacySession>();
  readonly #sweep: NodeJS.Timeout;

  constructor(options: BridgeOptions) {
    this.#options = options;
    this.#wire = new ServerWire(options);
    this.#suspended = new SuspendedCalls({ seal: options.requestStates, newId: options.newId, keepMs: options.answerTimeoutMs });
    this.#sweep = setInterval(() => this.#endIdle(), Math.min(options.idleMs / 2, MAX_SWEEP_MS)).unref();
  }

  post(permit: Permit, headers: Record<string, string>, body: Uint8Array, handler: AnswerHandler): void {
    answering(permit, headers, handler, this.#options.logger, async (answer) => {
      const read = readMessage(body);
      // What the request path lets through can be read; anything else is a fault.
      if (!read.ok) throw new Error(`a judged message cannot be read: ${read.failure}`);
      const message = read.value;
      if (message.kind !== 'request') return answer.status(202);
      await this.#request({ permit, headers }, message, answer);
    });
  }

  /** Ends sessions whose server is no longer registered as it was. */
  reconcile(): void {
    for (const session of [...this.#open]) {
      const now = this.#options.routeOf(session.route.name);
      if (now?.bridgeTo !== 'legacy' || now.url.href !== session.route.url.href) this.#end(session, 'is no longer registered as it was');
    }
  }

  close(): void {
    clearInterval(this.#sweep);
    for (const session of [...this.#open]) session.end(gone(session, 'was left with the sidecar'));
  }

  async #request(caller: Caller, message: Message, answer: AnswerStream): Promise<void> {
    const { method, json, idJson = 'null' } = message;
    const requested = json.at('params', '_meta', META.protocolVersion);
    if (requested !== MODERN_VERSION) {
      const data = { supported: [MODERN_VERSION], requested };
      return answer.finish(errorResponse(idJson, UNSUPPORTED_VERSION, 'Unsupported protocol version', data), 400);
    }
    if (NOT_TRANSLATED.test(method)) return answer.finish(errorResponse(idJson, METHOD_NOT_FOUND, 'this server has no such method'), 404);
    const requestState = json.at('params', 'requestState');
    if (requestState !== undefined) return this.#resume(caller, message, requestState, answer);

    const opened = await this.#session(caller, message);
    if (!opened.ok) return answer.fail(opened.failure);
    const session = opened.value;
    session.touch(caller);
    if (answer.aborted) return;
    if (method === 'server/discover') return answer.finish(resultResponse(idJson, discoverResult(session.handshake, session.route.name)));
    if (method === 'subscriptions/listen') {
      const refusal = await new LegacyListening(session, caller, message, answer).start(json.objectAt('params', 'notifications') ?? {});
      return refusal && answer.fail(refusal);
    }
    if (session.callCount >= MAX_CALLS)
      return answer.finish(errorResponse(idJson, INVALID_PARAMS, `more than ${MAX_CALLS} requests are open in this session`));
    const level = json.at('params', '_meta', META.logLevel);
    await session.ready(caller);
    if (isLogLevel(level)) await session.setLogLevel(caller, level);
    if (answer.aborted) return;
    const renew = async (current: Caller, old: LegacySession) => {
      old.expired();
      const renewed = await this.#session(current, message);
      return renewed.ok ? renewed.value : renewed.failure;
    };
    new LegacyCall({ bridge: this.#options, suspended: this.#suspended, renew }, session, { message, caller, answer }).start();
  }

  /** A state that this user did not get for this very call is as unknown as one that was made up. */
  async #resume(caller: Caller, message: Message, requestState: unknown, answer: AnswerStream): Promise<void> {
    const { method, idJson = 'null' } = message;
    const call = typeof requestState === 'string' ? this.#suspended.take(caller, requestState, method, callDigest(message)) : undefined;
    if (call === undefined)
      return answer.finish(errorResponse(idJson, INVALID_PARAMS, 'params.requestState is not one that waits for this request'));
    await call.resume({ message, caller, answer });
  }

  #session(caller: Caller, { json }: Message): Promise<Opened> {
    const { permit } = caller;
    const capabilities = withoutTasks(
      json.objectAt('params', '_meta', META.clientCapabilities) && json.written('params', '_meta', META.clientCapabilities),
    );
    const clientInfo =
      (json.objectAt('params', '_meta', META.clientInfo) && json.written('params', '_meta', META.clientInfo)) ?? CLIENT_INFO;
    const tooMuch = tooMuchDeclared(capabilities, clientInfo);
    if (tooMuch !== undefined) return Promise.resolve(fail(tooMuch));
    const key = JSON.stringify([callerKey(caller), capabilities, clientInfo]);
    const known = this.#sessions.get(key);
    if (known !== undefined) return known.opened;
    const userId = permit.decision.principal?.user.id ?? '';
    if (!this.#hasRoom(userId)) {
      const reason = `too many sessions with the server ${permit.route.name} are open for this user`;
      return Promise.resolve(fail(upstreamFailed('upstream_unreachable', reason)));
    }
    const opening = this.#initialize(caller, key, userId, capabilities, clientInfo);
    this.#sessions.set(key, { userId, opened: opening });
    const forget = () => {
      if (this.#sessions.get(key)?.opened === opening) this.#sessions.delete(key);
    };
    opening.then((opened) => {
      if (!opened.ok) forget();
    }, forget);
    return opening;
  }

  async #initialize(caller: Caller, key: string, userId: string, capabilities: string, clientInfo: string): Promise<Opened> {
    const { permit } = caller;
    const { route } = permit;
    const refuse = (why: string) => fail(upstreamFailed('upstream_answer', `the server ${route.name} ${why}`));
    const params = written({ protocolVersion: JSON.stringify(LEGACY_VERSION), capabilities, clientInfo });
    const body = Buffer.from(`{"jsonrpc":"2.0","id":0,"method":"initialize","params":${params}}`);
    const noSession = { sessionId: undefined, protocolVersion: undefined };
    const asked = await this.#wire.ask(permit, legacyHeaders(caller, noSession), body, '0');
    if (!asked.ok) return asked;
    const { json } = asked.value.response;
    const protocolVersion = json.at('result', 'protocolVersion');
    if (json.objectAt('result') === undefined)
      return refuse(
        `answered initialize with the error ${String(json.at('error', 'code'))}; does it speak the revisions to ${LEGACY_VERSION}?`,
      );
    if (typeof protocolVersion !== 'string' || !isKnownVersion(protocolVersion) || eraOf(protocolVersion) !== 'legacy')
      return refuse('chose a protocol version that does not exist');
    const handshake = JsonText.read(json.bytes);
    if (!handshake.ok) return refuse('cannot be read');
    const sessionId = asked.value.headers['mcp-session-id'];
    const session = new LegacySession(
      {
        bridge: this.#options,
        wire: this.#wire,
        route,
        userId,
        key,
        capabilities: JSON.parse(capabilities),
        fields: { sessionId: typeof sessionId === 'string' ? sessionId : undefined, protocolVersion },
        handshake: handshake.value,
        onExpired: (expired) => this.#forget(expired),
      },
      caller,
    );
    const told = await session.respond(caller, Buffer.from('{"jsonrpc":"2.0","method":"notifications/initialized"}'));
    if (!told.ok) return told;
    this.#open.add(session);
    return ok(session);
  }

  #hasRoom(userId: string): boolean {
    const ofUser = () => [...this.#sessions.values()].filter((session) => session.userId === userId).length;
    const isFull = () => this.#sessions.size >= MAX_SESSIONS || ofUser() >= MAX_OF_USER;
    if (!isFull()) return true;
    const isCandidate = (session: LegacySession) => session.isIdle && (this.#sessions.size >= MAX_SESSIONS || session.userId === userId);
    const [longest] = [...this.#open].filter(isCandidate).sort((a, b) => a.lastUsedMs - b.lastUsedMs);
    if (longest !== undefined) this.#end(longest, 'was left for another session');
    return !isFull();
  }

  #forget(session: LegacySession): void {
    this.#open.delete(session);
    this.#sessions.delete(session.key);
  }

  #end(session: LegacySession, why: string): void {
    this.#forget(session);
    session.finish(gone(session, why)).catch((error: unknown) => {
      this.#options.logger.warn({ err: error, server: session.route.name }, 'a session could not be ended at its server');
    });
  }

  #endIdle(): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const session of [...this.#open]) {
      if (session.isIdle && nowMs - session.lastUsedMs >= this.#options.idleMs) this.#end(session, 'was not used');
    }
  }
}

function gone({ route }: LegacySession, why: string): Refusal {
  return upstreamFailed('upstream_unreachable', `the session with the server ${route.name} ${why}`);
}
