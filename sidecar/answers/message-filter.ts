import { HTTP_METHODS, TASK_LIST } from '../../extauthz/api/operation.ts';
import type { Result } from '../../extauthz/api/result.ts';
import type { Decided, Decider } from '../authz/decide.ts';
import { type Refusal, upstreamFailed } from '../denial.ts';
import { filterList, type ListRead, readList } from '../mcp/list-filter.ts';
import type { ListMemo } from '../mcp/list-memo.ts';
import type { Era } from '../mcp/protocol-version.ts';
import { isTaskNotification, type ServerMessage, serverMessage } from '../mcp/server-message.ts';
import type { Permit } from '../permit.ts';
import { AnswerWithheld } from '../relay.ts';
import type { Tasks } from '../tasks/tasks.ts';
import { hidesInstructions, type Instructions } from './instructions.ts';
import type { KnownNames } from './known-names.ts';

export interface MessageFilterOptions {
  readonly permit: Permit;
  readonly userToken: string;
  readonly decider: Decider;
  readonly tasks: Tasks;
  readonly memo: ListMemo;
  readonly names: KnownNames;
  readonly instructions: Instructions;
  /** Whether a result may be that of a handshake, with instructions in it. */
  readonly isHandshake: boolean;
  readonly era: Era;
  /** The id of the agent's request as it was sent; undefined when it has none. */
  readonly idJson: string | undefined;
  /** Whether results answer earlier requests: they do on a GET stream that is resumed. */
  readonly isResumed: boolean;
  /** The cursor of the page that was asked for, when the answer is to a list method; undefined when it may be to any. */
  readonly page: { readonly cursor: unknown } | undefined;
  /** Longest time a client may keep a filtered list, in milliseconds. */
  readonly listTtlMs: number;
  /** Told of each result before it is filtered, of the id of its request as the server sent it, and of the bytes of the message. */
  readonly onResult: (result: Readonly<Record<string, unknown>>, idJson: string | undefined, message: Uint8Array) => void;
  /** Told of each ping of the server's, which needs no decision. */
  readonly onPing: (idJson: string) => void;
  /** Told of each request that the server makes, and what was decided about it. */
  readonly onServerRequest: (method: string, idJson: string, decided: Decided) => void;
}

/** Undefined: it is not for the agent. */
type Filtered = Uint8Array | undefined;

/** Methods that every side may send at any time. */
const PING = 'ping';
const RESOURCE_UPDATED = 'notifications/resources/updated';

/** Decides, message by message, what of a server's answer the user gets to see. */
export class MessageFilter {
  readonly #options: MessageFilterOptions;

  constructor(options: MessageFilterOptions) {
    this.#options = options;
  }

  /**
   * The message as the agent may have it, at once when nobody has to be asked: as it is, without the list items that the user may not see, or
   * undefined when it is not for the agent at all.
   * @param expected the list method that was asked, or undefined when any message may come
   * @param answersIdJson the id of the request when the message must be its answer and nothing else, as it was sent
   * @throws {AnswerWithheld} when it cannot be read, no decision about it could be had, or the answer as a whole is refused
   */
  filter(message: Uint8Array, expected: string | undefined, answersIdJson?: string): Filtered | Promise<Filtered> {
    const read = this.#options.memo.read(message, expected, this.#options.idJson);
    if (!read.ok) throw this.#unreadable(read.failure.detail);
    const kind = serverMessage(read.value);
    if (kind === undefined) throw this.#unreadable('not a JSON-RPC message');
    if (answersIdJson !== undefined && !isAnswerTo(kind, answersIdJson)) throw this.#unreadable('not an answer to the request');
    const isForAgent = this.#isForAgent(kind);
    if (typeof isForAgent !== 'boolean') return isForAgent.then((isShown) => (isShown ? this.#shown(kind, read.value) : undefined));
    return isForAgent ? this.#shown(kind, read.value) : undefined;
  }

  #shown(kind: ServerMessage, read: ListRead): Uint8Array | Promise<Uint8Array> {
    if (kind.kind === 'response') this.#options.onResult(read.result, kind.idJson, read.text.bytes);
    const filtered = read.lists.length === 0 ? read.text.bytes : this.#withoutHiddenItems(read);
    if (!this.#options.isHandshake || kind.kind !== 'response') return filtered;
    return filtered instanceof Promise
      ? filtered.then((message) => this.#withInstructionsJudged(message))
      : this.#withInstructionsJudged(filtered);
  }

  async #withoutHiddenItems(read: ListRead): Promise<Uint8Array> {
    const { lists, result } = read;
    const { permit, names, era, page, listTtlMs } = this.#options;
    const visible: (readonly boolean[])[] = [];
    for (const list of lists) {
      if (list.method !== TASK_LIST) names.learn(permit.route.name, list, page && { ...page, nextCursor: result['nextCursor'] });
      visible.push(await this.#visible(list.method, list.names));
    }
    return filterList(read, visible, { era, maxTtlMs: listTtlMs });
  }

  async #withInstructionsJudged(message: Uint8Array): Promise<Uint8Array> {
    const read = readList(message, undefined);
    if (!read.ok) throw this.#unreadable(read.failure.detail);
    if (hidesInstructions(read.value.result)) throw this.#unreadable('its instructions are written in another case');
    const { permit, userToken, instructions } = this.#options;
    const judged = await instructions.filter(read.value, permit, userToken);
    if (!judged.ok) throw new AnswerWithheld(judged.failure);
    return judged.value;
  }

  #isForAgent(message: ServerMessage): boolean | Promise<boolean> {
    switch (message.kind) {
      case 'request':
        if (message.method !== PING) return this.#mayAsk(message.method, message.idJson);
        this.#options.onPing(message.idJson);
        return true;
      case 'notification':
        if (message.method === RESOURCE_UPDATED) return this.#isVisible('resources/list', message.params['uri']);
        return !isTaskNotification(message.method) || this.#isVisibleTask(message);
      case 'response':
        if (message.asks === undefined) throw this.#unreadable('its input requests cannot be read');
        return message.asks.length === 0 && !this.#options.isResumed ? true : this.#isAnswerForAgent(message);
    }
  }

  async #isAnswerForAgent({ asks = [], relatedTaskId }: Extract<ServerMessage, { kind: 'response' }>): Promise<boolean> {
    for (const method of asks) {
      const { outcome } = await this.#ask(method);
      if (!outcome.ok) throw new AnswerWithheld(outcome.failure);
    }
    // The request for it was decided at another time, maybe under another policy.
    return !this.#options.isResumed || relatedTaskId === undefined || this.#isVisible(TASK_LIST, relatedTaskId);
  }

  async #isVisibleTask({ params, asks }: Extract<ServerMessage, { kind: 'notification' }>): Promise<boolean> {
    if (!(await this.#isVisible(TASK_LIST, params['taskId']))) return false;
    for (const method of asks) if (!(await this.#ask(method)).outcome.ok) return false;
    return true;
  }

  async #mayAsk(method: string, idJson: string): Promise<boolean> {
    const decided = await this.#ask(method);
    this.#options.onServerRequest(method, idJson, decided);
    return decided.outcome.ok;
  }

  #ask(method: string): Promise<Decided> {
    const { permit, userToken, decider } = this.#options;
    const params = Buffer.from(JSON.stringify({ method }));
    const question = { route: permit.route, method: HTTP_METHODS.serverRequest, target: method, params, userToken };
    const known = decider.decideFromCache(question);
    return known === undefined ? decider.decide(question) : Promise.resolve(known);
  }

  async #isVisible(method: string, name: unknown): Promise<boolean> {
    if (typeof name !== 'string') return false;
    const [visible] = await this.#visible(method, [name]);
    return visible === true;
  }

  async #visible(method: string, names: readonly string[]): Promise<readonly boolean[]> {
    const { permit, userToken, decider, tasks } = this.#options;
    const judged: Result<readonly boolean[], Refusal> =
      method === TASK_LIST ? await tasks.visible(permit, userToken, names) : await decider.visible(permit, method, names, userToken);
    if (!judged.ok) throw new AnswerWithheld(judged.failure);
    return judged.value;
  }

  #unreadable(detail: string): AnswerWithheld {
    const { name } = this.#options.permit.route;
    return new AnswerWithheld(
      upstreamFailed('upstream_answer', `the answer of the server ${name} cannot be read (${detail}), so it was withheld`),
    );
  }
}

/** Whether a message answers the request with this id. An error may have no id: its server could not read one. */
function isAnswerTo(message: ServerMessage, idJson: string): boolean {
  if (message.kind !== 'response') return false;
  if (message.idJson === undefined || message.idJson === 'null') return message.isError;
  return (
    message.idJson === idJson ||
    (idJson.startsWith('"') && message.idJson.startsWith('"') && JSON.parse(message.idJson) === JSON.parse(idJson))
  );
}
