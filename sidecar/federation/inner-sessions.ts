import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { fail, ok, type Result } from '../../extauthz/api/result.ts';
import type { InnerCalls } from '../inner-calls.ts';
import { responseIn } from './answer-parts.ts';
import { type Failure, failureIn, NO_ANSWER } from './failure.ts';
import { answerOf, type Part, partHeadersFor, pathOf } from './reach.ts';
import { isObject, readMessage } from './values-at.ts';

/** The session of one agent with one server. */
export interface InnerSession {
  readonly server: string;
  /** As the request path names it; undefined when the server has none. */
  readonly id: string | undefined;
  readonly protocolVersion: string | undefined;
  readonly capabilities: unknown;
}

type Opening = Promise<Result<InnerSession, Failure>>;

const ACCEPT = 'application/json, text/event-stream';
const INITIALIZED = '{"jsonrpc":"2.0","method":"notifications/initialized"}';

/** The sessions behind one session of the agent's: each is opened when it is first needed, as the agent itself would open it. */
export class InnerSessions {
  readonly #innerCalls: InnerCalls;
  /** The agent's own `initialize` parameters, as it wrote them. */
  readonly #params: string;
  readonly #openings = new Map<string, Opening>();
  /** Messages that each server is told after it was opened. */
  readonly #greetings = new Map<string, Uint8Array>();
  readonly #onOpened: (session: InnerSession) => void;
  readonly #abandoned = new AbortController();

  constructor(innerCalls: InnerCalls, params: string, onOpened: (session: InnerSession) => void) {
    this.#innerCalls = innerCalls;
    this.#params = params;
    this.#onOpened = onOpened;
  }

  /** Has servers that are opened from now on told this as well, in place of an earlier message of the method. */
  greetWith(method: string, message: Uint8Array): void {
    this.#greetings.set(method, message);
  }

  /** The servers with an open session. */
  async open(): Promise<readonly InnerSession[]> {
    const opened = await Promise.all([...this.#openings.values()].map((opening) => Promise.race([opening, undefined])));
    return opened.flatMap((session) => (session?.ok === true ? [session.value] : []));
  }

  /** @param headers of the request that needs the session: its token is the one that is judged */
  session(server: string, headers: OutgoingHttpHeaders): Opening {
    const known = this.#openings.get(server);
    if (known !== undefined) return known;
    const opening = this.#initialize(server, headers).catch(() => fail(NO_ANSWER));
    this.#openings.set(server, opening);
    void opening.then((opened) => {
      if (opened.ok) this.#onOpened(opened.value);
      else this.#forget(server, opening);
    });
    return opening;
  }

  /**
   * Sends one message in the session with its server. A session that has ended is opened again, once, before a request is sent: its server refused it
   * unread then. Nothing is ever sent again otherwise.
   */
  async send(server: string, headers: OutgoingHttpHeaders, part: Part, mayReopen: boolean): Promise<Result<IncomingMessage, Failure>> {
    const opening = this.session(server, headers);
    const session = await opening;
    if (!session.ok) return session;
    const answer = await answerOf(this.#post(session.value, headers, part));
    if (!answer.ok || answer.value.statusCode !== 404 || session.value.id === undefined) return answer;
    this.#forget(server, opening);
    if (!mayReopen) return answer;
    answer.value.resume();
    const again = await this.session(server, headers);
    return again.ok ? answerOf(this.#post(again.value, headers, part)) : again;
  }

  /** Opens the stream on which a server speaks by itself. */
  stream(
    session: InnerSession,
    headers: OutgoingHttpHeaders,
    lastEventId: string | undefined,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const fields = { ...sessionHeaders(session, headers, undefined), ...(lastEventId !== undefined && { 'last-event-id': lastEventId }) };
    return this.#innerCalls.call({ method: 'GET', path: pathOf(session.server), headers: fields, signal });
  }

  /** Waits for no handshake any more: a server may keep one up without end. */
  abandon(): void {
    this.#abandoned.abort();
  }

  /** Ends every session. */
  async end(headers: OutgoingHttpHeaders, signal: AbortSignal): Promise<void> {
    const sessions = await this.open();
    this.#openings.clear();
    const ending = sessions
      .filter(({ id }) => id !== undefined)
      .map(async (session) => {
        const fields = sessionHeaders(session, headers, undefined);
        (await this.#innerCalls.call({ method: 'DELETE', path: pathOf(session.server), headers: fields, signal })).resume();
      });
    await Promise.allSettled(ending);
  }

  #forget(server: string, opening: Opening): void {
    if (this.#openings.get(server) === opening) this.#openings.delete(server);
  }

  async #initialize(server: string, headers: OutgoingHttpHeaders): Opening {
    const { 'mcp-protocol-version': _version, ...rest } = partHeadersFor(headers, undefined);
    const fields = { ...rest, accept: ACCEPT, 'content-type': 'application/json' };
    const body = Buffer.from(`{"jsonrpc":"2.0","id":0,"method":"initialize","params":${this.#params}}`);
    const answer = await this.#innerCalls.call({
      method: 'POST',
      path: pathOf(server),
      headers: fields,
      body,
      signal: this.#abandoned.signal,
    });
    const response = await responseIn(answer);
    const message: unknown = response === undefined ? undefined : readMessage(response);
    const failure = failureIn(message);
    if (failure !== undefined) return fail(failure);
    const result = (message as { readonly result: Readonly<Record<string, unknown>> }).result;
    const id = answer.headers['mcp-session-id'];
    const { protocolVersion, capabilities } = result;
    const session: InnerSession = {
      server,
      id: typeof id === 'string' ? id : undefined,
      protocolVersion: typeof protocolVersion === 'string' ? protocolVersion : undefined,
      capabilities: isObject(capabilities) ? capabilities : {},
    };
    for (const greeting of [Buffer.from(INITIALIZED), ...this.#greetings.values()]) {
      const told = await this.#post(session, fields, { body: greeting });
      told.resume();
    }
    return ok(session);
  }

  #post(session: InnerSession, headers: OutgoingHttpHeaders, { own, ...rest }: Part): Promise<IncomingMessage> {
    return this.#innerCalls.call({ method: 'POST', path: pathOf(session.server), headers: sessionHeaders(session, headers, own), ...rest });
  }
}

function sessionHeaders({ id, protocolVersion }: InnerSession, headers: OutgoingHttpHeaders, own: string | undefined): OutgoingHttpHeaders {
  return {
    ...partHeadersFor(headers, own),
    ...(id !== undefined && { 'mcp-session-id': id }),
    // Servers may agree on different revisions with one agent.
    ...(protocolVersion !== undefined && { 'mcp-protocol-version': protocolVersion }),
  };
}
