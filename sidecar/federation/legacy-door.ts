import type { JsonRpcMessage, JsonRpcRequest } from '../../extauthz/api/json-rpc.ts';
import { INVALID_PARAMS } from '../../extauthz/api/json-rpc-fault.ts';
import { fail, ok, type Result } from '../../extauthz/api/result.ts';
import { type Refusal, rejected, unknownSession } from '../denial.ts';
import { serversOf } from '../endpoints.ts';
import { LIST_KINDS } from '../list-changes.ts';
import { eraOf, isKnownVersion, type ProtocolVersion } from '../mcp/protocol-version.ts';
import { askAll } from './ask-all.ts';
import { SERVER_INFO, unionOf } from './capabilities.ts';
import { forEachOf, within } from './concurrency.ts';
import type { DoorOptions, Outcome } from './door-options.ts';
import { EventSink } from './event-sink.ts';
import { isDenied, NO_ANSWER } from './failure.ts';
import { progressForServer, responseForServer } from './for-server.ts';
import { type InnerSession, InnerSessions } from './inner-sessions.ts';
import { LegacyStream } from './legacy-stream.ts';
import { type SplitName, splitEventId } from './names.ts';
import { passOn } from './pass-on.ts';
import { answerOf, type Reach, StatelessReach } from './reach.ts';
import { closed, kindsOf, nobody, sendJson, unknownMethod } from './replies.ts';
import { RequestsUnderWay } from './requests-under-way.ts';
import { FederatedSession } from './sessions.ts';
import type { MessageVisit, Visit } from './visit.ts';

type Notification = Extract<JsonRpcMessage, { kind: 'notification' }>;

/** Clients say of themselves in a few hundred bytes what is kept as long as their session. */
const MAX_HANDSHAKE_BYTES = 65_536;
/** What is offered to a client that asks for a revision which the endpoint does not know. */
const LATEST_LEGACY: ProtocolVersion = '2025-11-25';

/** What the revisions with sessions have of their own (to 2025-11-25): the handshake, its session, and all that has no result. */
export class LegacyDoor {
  readonly #options: DoorOptions;

  constructor(options: DoorOptions) {
    this.#options = options;
  }

  /** Opens a session, and one with each server behind it. A server that is slow gets its own when it is first needed. */
  async initialize(visit: MessageVisit, { params, paramsSpan }: Pick<JsonRpcRequest, 'params' | 'paramsSpan'>): Promise<Outcome> {
    const { exchange, endpoint, headers, body } = visit;
    const { userOf, innerCalls, sessions, serverNames, timeoutMs, clock } = this.#options;
    const requested = params?.['protocolVersion'];
    if (typeof requested !== 'string' || paramsSpan === undefined)
      return rejected('malformed', 200, 'params.protocolVersion is missing', INVALID_PARAMS);
    if (paramsSpan.end - paramsSpan.start > MAX_HANDSHAKE_BYTES)
      return rejected('too_large', 413, `params are larger than ${MAX_HANDSHAKE_BYTES} bytes, which are kept for the session`);
    const user = await userOf(exchange);
    if (!user.ok) return user.failure;
    const ownParams = body.toString('utf8', paramsSpan.start, paramsSpan.end);
    const session = new FederatedSession(
      { userId: user.value, endpoint: endpoint.path },
      clock.monotonicMs(),
      (onOpened) => new InnerSessions(innerCalls, ownParams, onOpened),
    );
    const opened = await forEachOf(serversOf(endpoint, serverNames()), async (server) => {
      return (await within(session.inner.session(server, headers), timeoutMs)) ?? fail(NO_ANSWER);
    });
    const failures = opened.flatMap((inner) => (inner.ok ? [] : [inner.failure]));
    if (failures.length === opened.length) {
      session.inner.abandon();
      return nobody(exchange, failures);
    }
    const capabilities = unionOf(
      opened.flatMap((inner) => (inner.ok ? [inner.value.capabilities] : [])),
      endpoint,
      failures.every(isDenied),
    );
    sessions.add(session);
    exchange.response.setHeader('mcp-session-id', session.id);
    const protocolVersion = isKnownVersion(requested) && eraOf(requested) === 'legacy' ? requested : LATEST_LEGACY;
    const result = { protocolVersion, capabilities, serverInfo: SERVER_INFO };
    sendJson(exchange, `{"jsonrpc":"2.0","id":${exchange.idJson ?? 'null'},"result":${JSON.stringify(result)}}`);
    return 'answered';
  }

  /**
   * The session that a request belongs to. Somebody else's, or that of another endpoint, is one that does not exist.
   * Undefined without one: servers that need a session say so then.
   */
  async session({ exchange, endpoint }: Visit): Promise<Result<FederatedSession | undefined, Refusal>> {
    const id = exchange.request.headers['mcp-session-id'];
    if (id === undefined) return ok(undefined);
    const user = await this.#options.userOf(exchange);
    if (!user.ok) return user;
    const session = typeof id === 'string' ? this.#options.sessions.find(id, { userId: user.value, endpoint: endpoint.path }) : undefined;
    return session === undefined ? fail(unknownSession()) : ok(session);
  }

  /** A request that is about no single server, and no list. */
  async request(visit: MessageVisit, session: FederatedSession | undefined, method: string): Promise<Outcome> {
    const { exchange, endpoint, body, gone } = visit;
    const { serverNames, timeoutMs, userOf } = this.#options;
    if (method === 'ping') {
      const user = session === undefined ? await userOf(exchange) : ok('');
      if (!user.ok) return user.failure;
      sendJson(exchange, `{"jsonrpc":"2.0","id":${exchange.idJson ?? 'null'},"result":{}}`);
      return 'answered';
    }
    if (method !== 'logging/setLevel') return unknownMethod('legacy');
    const servers = serversOf(endpoint, serverNames()).map((server) => ({ server }));
    const { answers, failures } = await askAll(servers, () => body, {
      reach: this.#reach(visit, session),
      timeoutMs,
      signal: gone.signal,
    });
    if (body.length <= MAX_HANDSHAKE_BYTES) session?.inner.greetWith(method, body);
    if (answers.length === 0 && (failures.length > 0 || servers.length === 0)) return nobody(exchange, failures);
    sendJson(exchange, `{"jsonrpc":"2.0","id":${exchange.idJson ?? 'null'},"result":{}}`);
    return 'passed';
  }

  /** The agent's answer to a server's request. The request path lets it through only where that server waits for it. */
  async response(visit: MessageVisit, session: FederatedSession | undefined): Promise<Outcome> {
    const { exchange, endpoint, body, gone } = visit;
    const answer = responseForServer(body);
    if (answer === undefined || !serversOf(endpoint, this.#options.serverNames()).includes(answer.server))
      return rejected('malformed', 400, 'no request of a server waits for this answer');
    const sent = await this.#reach(visit, session, false).send(answer.server, { body: answer.bytes, signal: gone.signal });
    if (!sent.ok) return rejected('malformed', 400, 'no request of a server waits for this answer');
    const underWay = session?.underWay ?? new RequestsUnderWay(false);
    const options = { server: answer.server, era: 'legacy', idJson: undefined, underWay } as const;
    return (await passOn(sent.value, exchange.response, options)) ?? 'passed';
  }

  notification(visit: MessageVisit, session: FederatedSession | undefined, { method, params }: Notification): Promise<Outcome> {
    switch (method) {
      case 'notifications/initialized':
        return this.#tell(visit, session, []);
      case 'notifications/cancelled':
        return this.#tell(visit, session, session?.underWay.serversOf(params?.['requestId']) ?? []);
      case 'notifications/progress': {
        const progress = progressForServer(visit.body);
        const isKnown = progress !== undefined && serversOf(visit.endpoint, this.#options.serverNames()).includes(progress.server);
        return this.#tell(visit, session, isKnown ? [progress.server] : [], progress?.bytes);
      }
      case 'notifications/roots/list_changed':
        return this.#tellAll(visit, session);
      default:
        return Promise.resolve(unknownMethod('legacy'));
    }
  }

  /** The stream on which servers speak by themselves. A session has one; a new one takes the place of the old, whose agent has lost it. */
  async stream({ exchange, endpoint, headers, gone }: Visit, session: FederatedSession | undefined): Promise<Outcome> {
    if (session === undefined) return rejected('malformed', 400, 'a stream belongs to a session');
    const { announceOn, clock, timeoutMs } = this.#options;
    const lastEventId = exchange.request.headers['last-event-id'];
    const last = typeof lastEventId === 'string' ? splitEventId(lastEventId) : undefined;
    if (last !== undefined && !last.isOfTheStream) return this.#resume({ exchange, endpoint, headers, gone }, session, last);
    session.endStream?.();
    const kinds = kindsOf(endpoint, LIST_KINDS);
    const sink = new EventSink(exchange.response);
    const stream = new LegacyStream({
      sink,
      sessions: session.inner,
      underWay: session.underWay,
      headers,
      kinds,
      showsResources: endpoint.view === undefined,
      resume: last,
      signal: gone.signal,
    });
    const end = () => sink.end();
    const follow = (inner: InnerSession) => stream.follow(inner);
    session.endStream = end;
    session.onOpened = follow;
    for (const inner of await session.inner.open()) stream.follow(inner);
    await stream.begin(timeoutMs);
    const silence = announceOn({ kinds, subscriptionIdJson: undefined, write: (event) => sink.soon(Buffer.from(event).toString()) });
    await closed(exchange);
    gone.abort();
    silence();
    if (session.endStream === end) session.endStream = undefined;
    if (session.onOpened === follow) session.onOpened = undefined;
    session.lastUsedMs = clock.monotonicMs();
    return 'answered';
  }

  /** The rest of one call's answer, from the server that was called. */
  async #resume({ exchange, endpoint, headers, gone }: Visit, session: FederatedSession, { server, own }: SplitName): Promise<Outcome> {
    if (!serversOf(endpoint, this.#options.serverNames()).includes(server)) return rejected('malformed', 400, 'no event had this id');
    const inner = await session.inner.session(server, headers);
    if (!inner.ok) return rejected('malformed', 400, 'the server of this event has no session');
    const answer = await answerOf(session.inner.stream(inner.value, headers, own, gone.signal));
    if (!answer.ok) return unknownSession();
    const { underWay } = session;
    return (await passOn(answer.value, exchange.response, { server, era: 'legacy', idJson: undefined, underWay })) ?? 'passed';
  }

  async end({ exchange, headers, gone }: Visit, session: FederatedSession | undefined): Promise<Outcome> {
    if (session === undefined) return rejected('malformed', 400, 'there is no session to end');
    this.#options.sessions.drop(session);
    await within(session.inner.end(headers, gone.signal), this.#options.timeoutMs);
    exchange.response.writeHead(204).end();
    return 'answered';
  }

  async #tellAll(visit: MessageVisit, session: FederatedSession | undefined): Promise<Outcome> {
    const open = (await session?.inner.open()) ?? [];
    return this.#tell(
      visit,
      session,
      open.map(({ server }) => server),
    );
  }

  /** Accepts a notification, and has these servers told. */
  async #tell(
    visit: MessageVisit,
    session: FederatedSession | undefined,
    servers: readonly string[],
    body: Uint8Array = visit.body,
  ): Promise<Outcome> {
    const { exchange, gone } = visit;
    const user = session === undefined ? await this.#options.userOf(exchange) : ok('');
    if (!user.ok) return user.failure;
    const reach = this.#reach(visit, session, false);
    await forEachOf(servers, async (server) => {
      const sent = await within(reach.send(server, { body, signal: gone.signal }), this.#options.timeoutMs).catch(() => undefined);
      if (sent?.ok === true) sent.value.resume();
    });
    exchange.response.writeHead(202).end();
    return servers.length === 0 ? 'answered' : 'passed';
  }

  #reach({ headers }: Visit, session: FederatedSession | undefined, mayReopen = true): Reach {
    return session === undefined ? new StatelessReach(this.#options.innerCalls, headers) : session.reach(headers, mayReopen);
  }
}
