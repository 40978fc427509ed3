import { HTTP_METHODS } from '../../extauthz/api/operation.ts';
import type { Logger } from '../../runtime/logger.ts';
import { type Admitted, conversationOf, ownerOf } from '../admitted.ts';
import type { Decider } from '../authz/decide.ts';
import type { Clock } from '../clock.ts';
import type { SidecarConfig } from '../config.ts';
import type { ListChanges, ListKind } from '../list-changes.ts';
import { ListMemo } from '../mcp/list-memo.ts';
import { isEventStream, Relay } from '../relay.ts';
import type { RequestStates } from '../request-states.ts';
import { keepsCredential, type Routes } from '../routes.ts';
import type { ServerRequests } from '../server-requests.ts';
import type { SessionSeal } from '../session-seal.ts';
import type { Tasks } from '../tasks/tasks.ts';
import type { ToolSchemas } from '../tool-schemas.ts';
import { answerFilter } from './answer-filter.ts';
import type { Instructions } from './instructions.ts';
import type { KnownNames } from './known-names.ts';
import { MessageFilter } from './message-filter.ts';
import { metadataFilter } from './metadata-filter.ts';

export interface AnswersOptions {
  readonly config: SidecarConfig;
  readonly routes: Routes;
  readonly decider: Decider;
  readonly tasks: Tasks;
  readonly requestStates: RequestStates;
  readonly toolSchemas: ToolSchemas;
  readonly names: KnownNames;
  readonly instructions: Instructions;
  readonly sessions: SessionSeal;
  readonly serverRequests: ServerRequests;
  readonly listChanges: ListChanges;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** How the answer is to be read. */
export interface AnswerPlan {
  readonly cancelOnDisconnect: boolean;
  /** Whether a success has a body. */
  readonly hasBody: boolean;
  /** The list method that was asked. */
  readonly list: string | undefined;
  /** The cursor of the page of it that was asked for. */
  readonly cursor?: unknown;
  /** The lists whose change the agent is told of on this answer. */
  readonly announces: readonly ListKind[];
}

/** Requests whose result, or whose replayed result, may have instructions. */
const HANDSHAKES: ReadonlySet<string> = new Set(['initialize', 'server/discover', HTTP_METHODS.stream]);

/** How much larger a tool's result may be than a message or a list: it may hold images and files. */
const RESULT_TO_LIST_SIZE = 4;

/** Makes the relay that carries an answer to the agent, with what has to be read, sealed and announced on it. */
export class Answers {
  readonly #options: AnswersOptions;
  readonly #memo = new ListMemo();

  constructor(options: AnswersOptions) {
    this.#options = options;
  }

  /** A relay for the answer to this message. */
  relay(admitted: Admitted, { cancelOnDisconnect, hasBody, list, cursor, announces }: AnswerPlan): Relay {
    const {
      config,
      routes,
      decider,
      tasks,
      requestStates,
      toolSchemas,
      names,
      instructions,
      sessions,
      serverRequests,
      listChanges,
      clock,
      logger,
    } = this.#options;
    const { exchange, permit, userToken, era } = admitted;
    let sealedSessionId: string | undefined;
    const { maxBodyBytes, listTtlMs } = config;
    const stream = { exchange, permit, userToken, conversation: conversationOf(admitted) };
    const messages = new MessageFilter({
      permit,
      userToken,
      decider,
      tasks,
      memo: this.#memo,
      era,
      idJson: exchange.idJson,
      names,
      instructions,
      isResumed: exchange.method === HTTP_METHODS.stream,
      page: list === undefined ? undefined : { cursor },
      isHandshake: HANDSHAKES.has(exchange.method),
      listTtlMs,
      onResult: (result, idJson, message) => {
        tasks.answered(admitted, result, idJson);
        requestStates.answered(admitted, result);
        toolSchemas.answered(admitted, result, message);
        if (exchange.method === 'initialize' && sealedSessionId !== undefined)
          listChanges.initialized(sealedSessionId, result['capabilities']);
      },
      onPing: (idJson) => serverRequests.passed(stream, idJson),
      onServerRequest: (method, idJson, decided) => serverRequests.decided(stream, method, idJson, decided),
    });
    const maxJsonBytes = list === undefined ? maxBodyBytes * RESULT_TO_LIST_SIZE : maxBodyBytes;
    const options = {
      messages,
      server: permit.route.name,
      method: list,
      hasBody,
      answersIdJson: exchange.idJson,
      maxJsonBytes,
      maxEventBytes: maxJsonBytes,
    };
    const relay: Relay = new Relay({
      exchange,
      cancelOnDisconnect,
      filterFor: (status, headers) => {
        if (announces.length > 0 && isEventStream(headers)) this.#announceOn(admitted, announces, relay);
        return answerFilter(options, relay, status, headers);
      },
      sealSession: (sessionId) => {
        sealedSessionId = era === 'modern' ? undefined : sessions.seal(ownerOf(permit), sessionId);
        return sealedSessionId;
      },
      onChallenge: keepsCredential(permit.route) ? (challenge) => routes.challenged(permit.route, challenge) : undefined,
      abandonAfterMs: config.upstreamTimeoutMs,
      monotonicMs: clock.monotonicMs,
      logger,
    });
    return relay;
  }

  /** A relay for a document about the server, which holds no message. */
  document({ exchange, permit }: Admitted): Relay {
    const { config, clock, logger } = this.#options;
    const relay: Relay = new Relay({
      exchange,
      cancelOnDisconnect: true,
      filterFor: (status, headers) => metadataFilter(permit.route.name, relay, status, headers),
      sealSession: () => undefined,
      onChallenge: undefined,
      abandonAfterMs: config.upstreamTimeoutMs,
      monotonicMs: clock.monotonicMs,
      logger,
    });
    return relay;
  }

  #announceOn({ exchange, era }: Admitted, kinds: readonly ListKind[], relay: Relay): void {
    const closed = this.#options.listChanges.opened({
      kinds,
      subscriptionIdJson: era === 'modern' ? exchange.idJson : undefined,
      // A modern stream begins with the server's acknowledgement; nothing may come before it.
      write: (event) => {
        if (era === 'legacy' || relay.hasBegun) relay.write(event);
      },
    });
    relay.ending.then(closed, closed);
  }
}
