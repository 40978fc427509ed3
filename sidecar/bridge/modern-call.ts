import { operationOf } from '../../extauthz/api/operation.ts';
import { type Refusal, upstreamFailed } from '../denial.ts';
import { paramFields } from '../mcp/param-headers.ts';
import type { AnswerStream } from '../stdio/answer-stream.ts';
import type { BridgeOptions } from './bridge-options.ts';
import type { Caller } from './caller.ts';
import { isObject, JsonText, written } from './json-text.ts';
import { declaresMethod, legacyResponse } from './legacy-answer.ts';
import { isSameId, type Message } from './message.ts';
import { HEADER_MISMATCH } from './meta-keys.ts';
import { modernHeaders, modernRequest, type RoundTrip } from './modern-request.ts';
import type { ModernServers } from './modern-server.ts';
import type { ModernSession } from './modern-session.ts';
import type { ServerAnswer } from './server-answer.ts';
import type { ServerWire } from './server-wire.ts';

export interface ModernCallOptions {
  readonly bridge: BridgeOptions;
  readonly wire: ServerWire;
  readonly servers: ModernServers;
  readonly session: ModernSession;
  readonly message: Message;
  readonly answer: AnswerStream;
  readonly onOver: () => void;
}

/** Methods whose results may ask for input (MCP 2026-07-28, multi round-trip requests). */
const MAY_ASK: ReadonlySet<string> = new Set(['tools/call', 'prompts/get', 'resources/read']);
const ON_A_CALL: ReadonlySet<string> = new Set(['notifications/progress', 'notifications/message']);
const MAX_ROUNDS = 16;
const MAX_ASKED = 16;
/** Unread output beyond this stops the reading of more. */
const MAX_QUEUED_BYTES = 1_048_576;
const NO_ROUND_TRIP: RoundTrip = { inputResponses: undefined, requestState: undefined };

/** One request of a legacy agent's at a modern server, through all its round trips. */
export class ModernCall {
  readonly #options: ModernCallOptions;
  readonly idJson: string;
  #caller: Caller;
  #server: ServerAnswer | undefined;
  #round = 0;
  #relearned = false;
  #isOver = false;
  #asked: string[] = [];
  #patience: NodeJS.Timeout | undefined;

  constructor(options: ModernCallOptions, caller: Caller) {
    this.#options = options;
    this.#caller = caller;
    this.idJson = options.message.idJson ?? 'null';
    const { answer } = options;
    answer.onAbort = () => this.cancel();
    answer.onDrain = () => this.#server?.resume();
  }

  start(): Promise<void> {
    return this.#send(NO_ROUND_TRIP);
  }

  /** Ends the call without an answer. */
  cancel(): void {
    if (this.#isOver) return;
    this.#over();
    const { answer } = this.#options;
    if (answer.canStream) answer.close();
    else answer.fail(this.#refusal('was told that the call is cancelled'));
  }

  async #send(roundTrip: RoundTrip): Promise<void> {
    const { message, session, servers, wire } = this.#options;
    const { method } = message;
    let repeated: Record<string, string> = {};
    if (method === 'tools/call') {
      const fields = await servers.toolFields(this.#caller, session.declared);
      if (!fields.ok) return this.#fail(fields.failure);
      const tool = message.json.at('params', 'name');
      repeated = paramFields(fields.value.get(typeof tool === 'string' ? tool : '') ?? [], message.json.at('params', 'arguments'));
    }
    if (this.#isOver) return;
    const idJson = this.#round === 0 ? this.idJson : `"sidegate-retry-${this.#round}"`;
    const { permit } = this.#caller;
    const headers = modernHeaders(this.#caller, method, message.json.objectAt('params'), repeated);
    const body = modernRequest(message, idJson, session.declared, roundTrip, this.#caller.headers['traceparent']);
    this.#server = wire.open(
      permit,
      { method: 'POST', headers, body },
      {
        onMessage: (said) => this.#take(said, idJson, roundTrip),
        onEnd: () => this.#fail(this.#refusal('ended its answer before it was complete')),
        onFail: (refusal) => this.#fail(refusal),
      },
    );
  }

  #take(said: Message, idJson: string, roundTrip: RoundTrip): void {
    const { answer } = this.#options;
    if (said.kind === 'request') return this.#fail(this.#refusal('sent a request, which its protocol version does not have'));
    if (said.kind === 'notification') {
      if (!ON_A_CALL.has(said.method) || !answer.canStream) return;
      answer.send(said.json.bytes);
      if (answer.queuedBytes > MAX_QUEUED_BYTES) this.#server?.pause();
      return;
    }
    const isError = said.json.objectAt('error') !== undefined;
    if (said.idJson === undefined ? !isError : !isSameId(said.idJson, idJson))
      return this.#fail(this.#refusal('answered what it was not asked'));
    if (isError) return this.#takeError(said, roundTrip);
    const resultType = said.json.at('result', 'resultType') ?? 'complete';
    if (resultType === 'complete') return this.#finish(legacyResponse(said, this.idJson));
    if (resultType === 'input_required') return this.#ask(said);
    this.#fail(this.#refusal('answered with a kind of result that clients of this protocol version do not know'));
  }

  #takeError(said: Message, roundTrip: RoundTrip): void {
    const { servers, message } = this.#options;
    // Such a request was refused before anything ran. The tool may have changed which arguments it wants in fields.
    const isStale = said.json.at('error', 'code') === HEADER_MISMATCH && message.method === 'tools/call' && !this.#relearned;
    if (!isStale) return this.#finish(legacyResponse(said, this.idJson));
    this.#relearned = true;
    servers.forgetTools(this.#caller);
    this.#server?.abort();
    this.#run(this.#send(roundTrip));
  }

  /** Puts the server's questions to the agent as requests of the legacy revisions, on the stream of this call. */
  #ask({ json }: Message): void {
    const { message, session, answer, bridge, wire } = this.#options;
    this.#server?.abort();
    this.#round += 1;
    const state = json.at('result', 'requestState');
    const asks = json.at('result', 'inputRequests') ?? {};
    const keys = isObject(asks) ? Object.keys(asks) : [];
    if (!MAY_ASK.has(message.method) || !isObject(asks) || keys.length > MAX_ASKED || (keys.length === 0 && typeof state !== 'string'))
      return this.#fail(this.#refusal('asked for input where or how it may not'));
    if (this.#round > MAX_ROUNDS) return this.#fail(this.#refusal('keeps asking for input'));
    const questions = keys.map((key) => ({ key, request: asks[key] }));
    for (const { request } of questions) {
      const method = isObject(request) ? request['method'] : undefined;
      const params = isObject(request) && isObject(request['params']) ? request['params'] : undefined;
      const declared = typeof method === 'string' ? declaresMethod(session.capabilities, method, params) : undefined;
      if (declared === undefined) return this.#fail(this.#refusal('asked for input that no client gives'));
      if (!declared) return this.#fail(this.#refusal(`asks for ${String(method)}, which this client did not declare that it answers`));
    }
    if (keys.length > 0 && !answer.canStream) return this.#fail(this.#refusal('asks for input, and this client takes no event stream'));

    const answers = new Map<string, string>();
    const requestState = json.written('result', 'requestState');
    const retry = (caller: Caller) => {
      this.#stopAsking();
      const inputResponses = answers.size === 0 ? undefined : written(Object.fromEntries(answers));
      this.#run(this.#retry(caller, { inputResponses, requestState }));
    };
    if (keys.length === 0) return retry(this.#caller);
    this.#patience = setTimeout(
      () => this.#fail(this.#refusal('asked for input, and the client did not answer in time')),
      wire.answerTimeoutMs,
    );
    for (const { key, request } of questions) {
      const id = `sidegate-${bridge.newId()}`;
      this.#asked.push(id);
      session.awaiting.set(id, (response, caller) => {
        const result = response.json.written('result');
        // What the client, or policy in its place, refused to answer has no form in which the server could be told.
        if (result === undefined) return this.#finish(response.json.with({ id: this.idJson }));
        answers.set(key, result);
        if (answers.size === keys.length) retry(caller);
      });
      const method = isObject(request) ? String(request['method']) : '';
      const params = json.written('result', 'inputRequests', key, 'params');
      const line = { jsonrpc: '"2.0"', id: JSON.stringify(id), method: JSON.stringify(method), params: params ?? null };
      if (answer.canStream) answer.send(Buffer.from(written(line)));
    }
  }

  /** Sends the request again with the answers, if policy still says so: credential, time or policy may be others by now. */
  async #retry(latest: Caller, roundTrip: RoundTrip): Promise<void> {
    const { message, bridge } = this.#options;
    const { method, json } = message;
    const read = JsonText.read(Buffer.from(json.written('params') ?? '{}'));
    if (!read.ok) throw new Error(`judged params cannot be read: ${read.failure}`);
    const params = read.value.with({ inputResponses: roundTrip.inputResponses ?? null, requestState: roundTrip.requestState ?? null });
    if (params.length > bridge.maxRequestBytes)
      return this.#fail(this.#refusal('asked for input, and the answers are too large to be passed on'));
    const operation = operationOf(method, read.value.value);
    if (!operation.ok) throw new Error('a judged request has no target');
    const { target } = operation.value;
    const authorized = await bridge.authorize(latest, { method, target, params });
    if (!authorized.ok) return this.#fail(authorized.failure);
    this.#caller = authorized.value;
    await this.#send(roundTrip);
  }

  #run(step: Promise<void>): void {
    step.catch((error: unknown) => {
      const { bridge, session } = this.#options;
      bridge.logger.error({ err: error, server: session.route.name }, 'fault in a bridged call');
      this.#fail(this.#refusal('could not be used; the sidecar’s log has the details'));
    });
  }

  #finish(response: Uint8Array): void {
    if (this.#isOver) return;
    this.#over();
    this.#options.answer.finish(response);
  }

  #fail(refusal: Refusal): void {
    if (this.#isOver) return;
    this.#over();
    this.#options.answer.fail(refusal);
  }

  #over(): void {
    this.#isOver = true;
    this.#stopAsking();
    this.#server?.abort();
    this.#options.onOver();
  }

  #stopAsking(): void {
    clearTimeout(this.#patience);
    for (const id of this.#asked.splice(0)) this.#options.session.awaiting.delete(id);
  }

  #refusal(how: string): Refusal {
    return upstreamFailed('upstream_answer', `the server ${this.#options.session.route.name} ${how}`);
  }
}
