import type { JsonRpcMessage } from '../../extauthz/api/json-rpc.ts';
import { INVALID_PARAMS } from '../../extauthz/api/json-rpc-fault.ts';
import { LIST_METHODS } from '../../extauthz/api/operation.ts';
import { ok } from '../../extauthz/api/result.ts';
import { rejected } from '../denial.ts';
import { serversOf, showsTool } from '../endpoints.ts';
import { subscribedKinds } from '../list-changes.ts';
import { isKnownVersion } from '../mcp/protocol-version.ts';
import { type AskOptions, askAll, listPage } from './ask-all.ts';
import { discoverBody, isServedVersion, UNSUPPORTED_VERSION, unsupportedVersionBody } from './discover.ts';
import type { DoorOptions, Outcome } from './door-options.ts';
import { EventSink } from './event-sink.ts';
import { commonFailure, failureBody } from './failure.ts';
import { addresseeOf, forServer, isAddressed } from './for-server.ts';
import { LegacyDoor } from './legacy-door.ts';
import type { PendingServer } from './list-cursor.ts';
import { Listening } from './listening.ts';
import { passOn } from './pass-on.ts';
import { type Reach, StatelessReach } from './reach.ts';
import { closed, kindsOf, nobody, sendJson, unknownMethod, unknownName } from './replies.ts';
import { RequestsUnderWay } from './requests-under-way.ts';
import type { FederatedSession } from './sessions.ts';
import { isObject, readMessage } from './values-at.ts';
import type { MessageVisit, Visit } from './visit.ts';

/** Methods of an endpoint that shows only tools. */
const OF_A_VIEW: ReadonlySet<string> = new Set([
  'initialize',
  'ping',
  'server/discover',
  'logging/setLevel',
  'subscriptions/listen',
  'tools/list',
  'tools/call',
  'tasks/get',
  'tasks/result',
  'tasks/update',
  'tasks/cancel',
]);

type Call = Extract<JsonRpcMessage, { method: string }>;

/**
 * The endpoint of all servers: towards the agent an MCP server in both eras, towards the servers nothing but a sender of ordinary messages.
 * Each part goes through the request path, with the agent's own token, so nothing here can allow what policy does not.
 */
export class Door {
  readonly #options: DoorOptions;
  readonly #legacy: LegacyDoor;

  constructor(options: DoorOptions) {
    this.#options = options;
    this.#legacy = new LegacyDoor(options);
  }

  /** A POST. */
  async message(visit: MessageVisit): Promise<Outcome> {
    const { message, era } = visit.inbound;
    if (era === 'modern') return message.kind === 'response' ? unknownMethod(era) : this.#modern(visit, message);
    if (message.kind !== 'response' && message.method === 'initialize') return this.#legacy.initialize(visit, message);
    const { protocolVersion } = visit.inbound;
    if (protocolVersion !== undefined && !isKnownVersion(protocolVersion))
      return rejected('malformed', 400, 'this endpoint has no such protocol version');
    const session = await this.#legacy.session(visit);
    if (!session.ok) return session.failure;
    if (message.kind === 'response') return this.#legacy.response(visit, session.value);
    if (message.kind === 'notification') return this.#legacy.notification(visit, session.value, message);
    return this.#request(visit, message, session.value);
  }

  /** The GET stream of the revisions with sessions. */
  async stream(visit: Visit): Promise<Outcome> {
    const session = await this.#legacy.session(visit);
    return session.ok ? this.#legacy.stream(visit, session.value) : session.failure;
  }

  /** The DELETE that ends a session. */
  async endSession(visit: Visit): Promise<Outcome> {
    const session = await this.#legacy.session(visit);
    return session.ok ? this.#legacy.end(visit, session.value) : session.failure;
  }

  async #modern(visit: MessageVisit, call: Call): Promise<Outcome> {
    const { exchange, inbound } = visit;
    const version = inbound.protocolVersion ?? '';
    if (!isServedVersion(version)) {
      exchange.refusal = UNSUPPORTED_VERSION;
      sendJson(exchange, unsupportedVersionBody(version, exchange.idJson), UNSUPPORTED_VERSION.httpStatus);
      return 'answered';
    }
    if (call.kind === 'notification') return this.#noted(visit);
    return this.#request(visit, call, undefined);
  }

  /** Notifications have no place in this era; what they say concerns no server. */
  async #noted({ exchange }: Visit): Promise<Outcome> {
    const user = await this.#options.userOf(exchange);
    if (!user.ok) return user.failure;
    exchange.response.writeHead(202).end();
    return 'answered';
  }

  #request(visit: MessageVisit, call: Call, session: FederatedSession | undefined): Promise<Outcome> {
    const { era } = visit.inbound;
    const { method } = call;
    if (visit.endpoint.view !== undefined && !OF_A_VIEW.has(method)) return Promise.resolve(unknownMethod(era));
    if (LIST_METHODS.has(method)) return this.#list(visit, call, session);
    if (isAddressed(method)) return this.#addressed(visit, call, session);
    if (era === 'legacy') return this.#legacy.request(visit, session, method);
    if (method === 'server/discover') return this.#discover(visit);
    if (method === 'subscriptions/listen') return this.#listen(visit, call);
    return Promise.resolve(unknownMethod(era));
  }

  /** A message about something that one server has. */
  async #addressed(visit: MessageVisit, call: Call, session: FederatedSession | undefined): Promise<Outcome> {
    const { exchange, body, endpoint, inbound, gone } = visit;
    const { era } = inbound;
    const { serverNames } = this.#options;
    const addressee = addresseeOf(call);
    if (addressee === undefined || !serversOf(endpoint, serverNames()).includes(addressee.server)) return unknownName();
    const { server, own } = addressee;
    // For the agent of a view, tools outside of it do not exist.
    if (call.method === 'tools/call' && !showsTool(endpoint, server, own)) return unknownName();
    const id = 'id' in call ? call.id : undefined;
    const meta = call.params?.['_meta'];
    // Without a session there is only this call, and the server says nothing of any other.
    const underWay = session?.underWay ?? new RequestsUnderWay(false);
    underWay.called(id, server, isObject(meta) ? meta['progressToken'] : undefined);
    const sent = await this.#reach(visit, session).send(server, { body: forServer(body, addressee), own, signal: gone.signal });
    if (!sent.ok) {
      underWay.answered(id);
      sendJson(exchange, failureBody(sent.failure, exchange.idJson));
      return 'passed';
    }
    return (await passOn(sent.value, exchange.response, { server, era, idJson: exchange.idJson, underWay })) ?? 'passed';
  }

  async #list(visit: MessageVisit, call: Call, session: FederatedSession | undefined): Promise<Outcome> {
    const { exchange, body, endpoint, inbound } = visit;
    const { cursors, maxListBytes, serverNames, userOf } = this.#options;
    const { method } = call;
    const cursor = call.params?.['cursor'];
    const servers = serversOf(endpoint, serverNames());
    const first = () => servers.map((server) => ({ server, cursor: undefined }));
    const pending: readonly PendingServer[] | undefined =
      cursor === undefined ? first() : typeof cursor === 'string' ? cursors.decode({ endpoint: endpoint.path, method }, cursor) : undefined;
    if (pending === undefined) return rejected('malformed', 200, 'there is no such cursor', INVALID_PARAMS);
    const asked = pending.filter(({ server }) => servers.includes(server));
    // Each server verifies who asks; where none is asked, nobody has.
    const user = asked.length === 0 && session === undefined ? await userOf(exchange) : ok('');
    if (!user.ok) return user.failure;
    const id = 'id' in call ? call.id : undefined;
    session?.underWay.asked(
      id,
      asked.map(({ server }) => server),
    );
    const request = { method, era: inbound.era, endpoint, body, idJson: exchange.idJson ?? 'null', cursors, maxBytes: maxListBytes };
    const page = await listPage(request, asked, this.#ask(visit, session));
    session?.underWay.answered(id);
    sendJson(exchange, page.ok ? page.value : failureBody(commonFailure(page.failure), exchange.idJson));
    return asked.length > 0 ? 'passed' : 'answered';
  }

  async #discover(visit: MessageVisit): Promise<Outcome> {
    const { exchange, endpoint, body } = visit;
    const servers = serversOf(endpoint, this.#options.serverNames()).map((server) => ({ server }));
    const { answers, failures } = await askAll(servers, () => body, this.#ask(visit, undefined));
    if (answers.length === 0) return nobody(exchange, failures);
    const responses = answers.map(({ response }) => readMessage(response));
    sendJson(exchange, discoverBody(responses, failures, { endpoint, idJson: exchange.idJson ?? 'null' }));
    return 'passed';
  }

  async #listen(visit: MessageVisit, call: Call): Promise<Outcome> {
    const { exchange, endpoint, body, gone } = visit;
    const { announceOn, timeoutMs, serverNames } = this.#options;
    const kinds = kindsOf(endpoint, subscribedKinds(call.params?.['notifications']));
    const idJson = exchange.idJson ?? 'null';
    const servers = serversOf(endpoint, serverNames());
    if (servers.length === 0) return nobody(exchange, []);
    const sink = new EventSink(exchange.response);
    const listening = new Listening({
      sink,
      reach: this.#reach(visit, undefined),
      servers,
      body,
      idJson,
      kinds,
      showsResources: endpoint.view === undefined,
      timeoutMs,
      signal: gone.signal,
    });
    const silence = announceOn({
      kinds,
      subscriptionIdJson: idJson,
      write: (event) => {
        if (listening.isBegun) sink.soon(Buffer.from(event).toString());
      },
    });
    try {
      const failures = await listening.begin();
      if (failures.length > 0) return nobody(exchange, failures);
      await closed(exchange);
      return 'passed';
    } finally {
      silence();
      gone.abort();
    }
  }

  #reach({ headers }: Visit, session: FederatedSession | undefined): Reach {
    return session === undefined ? new StatelessReach(this.#options.innerCalls, headers) : session.reach(headers, true);
  }

  #ask(visit: Visit, session: FederatedSession | undefined): AskOptions {
    return { reach: this.#reach(visit, session), timeoutMs: this.#options.timeoutMs, signal: visit.gone.signal };
  }
}
