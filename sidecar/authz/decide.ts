import type { Decision, DenyCode } from '../../extauthz/api/decision.ts';
import { DENY_CODES } from '../../extauthz/api/decision.ts';
import type { DecisionResponse } from '../../extauthz/api/protos.ts';
import { fail, ok, type Result } from '../../extauthz/api/result.ts';
import type { Clock } from '../clock.ts';
import { denied, noDecision, type Refusal, upstreamFailed } from '../denial.ts';
import type { Permit } from '../permit.ts';
import type { Route } from '../routes.ts';
import { NoDecision, type PolicyClient } from './client.ts';
import type { DecisionCache } from './decision-cache.ts';

/** What is to be decided about one message. */
export interface Question {
  readonly route: Route;
  readonly method: string;
  readonly target: string;
  /** Bytes of the JSON-RPC `params`; empty when there are none. */
  readonly params: Uint8Array;
  /** Empty when the agent sent none. */
  readonly userToken: string;
}

/** A decision, and where it came from. */
export interface Decided {
  readonly outcome: Result<Permit, Refusal>;
  /** Undefined when none could be had. */
  readonly decision: Decision | undefined;
  readonly cached: boolean;
}

const MAX_NAMES = 10_000;
const MAX_NAMES_LENGTH = 1_048_576;

/** The one place where permits are made. */
export class Decider {
  readonly #client: Pick<PolicyClient, 'decide'>;
  readonly #cache: DecisionCache;
  readonly #timeoutMs: number;
  readonly #clock: Clock;
  /** Visibility questions that are on their way. Many clients ask the same one when policy has changed. */
  readonly #asking = new Map<string, Promise<Result<readonly boolean[], Refusal>>>();

  constructor(client: Pick<PolicyClient, 'decide'>, cache: DecisionCache, timeoutMs: number, clock: Clock) {
    this.#client = client;
    this.#cache = cache;
    this.#timeoutMs = timeoutMs;
    this.#clock = clock;
  }

  /** Answers at once from the cache, or undefined when the policy service must be asked. Kept apart from `decide` because it is the common case and needs no promise. */
  decideFromCache(question: Question): Decided | undefined {
    const subject = { server: question.route.name, method: question.method, target: question.target };
    const decision = this.#cache.find(question.userToken, subject, this.#clock.monotonicMs(), this.#clock.unixMs());
    return decision === undefined
      ? undefined
      : { outcome: this.#judge(question.route, decision, question.userToken), decision, cached: true };
  }

  /** Asks the policy service. Whatever goes wrong on the way there is a refusal. */
  async decide(question: Question): Promise<Decided> {
    const { route, method, target, params, userToken } = question;
    let response: DecisionResponse;
    try {
      response = await this.#client.decide(
        { server: route.name, method, params, userToken, items: null, minRevision: '' },
        this.#timeoutMs,
      );
    } catch (error) {
      return { outcome: fail(withoutDecision(error)), decision: undefined, cached: false };
    }
    const decision = readDecision(response);
    this.#cache.keep(userToken, { server: route.name, method, target }, decision);
    return { outcome: this.#judge(route, decision, userToken), decision, cached: false };
  }

  /** Asks which items of a list answer the user may see, one boolean an item. */
  async visible(permit: Permit, method: string, names: readonly string[], userToken: string): Promise<Result<readonly boolean[], Refusal>> {
    if (names.length === 0) return ok([]);
    if (!isAskable(names))
      return fail(upstreamFailed('upstream_answer', `the server ${permit.route.name} sent a list that is too long to judge`));
    const subject = { server: permit.route.name, method, target: '' };
    const known = this.#cache.findVisible(userToken, subject, names, this.#clock.monotonicMs());
    if (known !== undefined) return ok(known);
    // Under another revision it is another question, also while the answer to the old one is awaited.
    const question = JSON.stringify([this.#cache.revision, userToken, subject.server, method, names]);
    const asked = this.#asking.get(question);
    if (asked !== undefined) return asked;
    const asking = this.#askVisible(permit, method, names, userToken).finally(() => this.#asking.delete(question));
    this.#asking.set(question, asking);
    return asking;
  }

  async #askVisible(
    permit: Permit,
    method: string,
    names: readonly string[],
    userToken: string,
  ): Promise<Result<readonly boolean[], Refusal>> {
    let response: DecisionResponse;
    try {
      const question = { server: permit.route.name, method, params: new Uint8Array(), userToken, items: { names }, minRevision: '' };
      response = await this.#client.decide(question, this.#timeoutMs);
    } catch (error) {
      return fail(withoutDecision(error));
    }
    const decision = readDecision(response);
    const judged = this.#judge(permit.route, decision, userToken);
    if (!judged.ok) return judged;
    if (response.visible.length !== names.length)
      return fail(noDecision('the policy service judged another number of items than it was asked about'));
    const visible = response.visible.map((shown) => shown === true);
    if (!decision.vary.time && !decision.vary.arguments)
      this.#cache.keepVisible(userToken, { server: permit.route.name, method, target: '' }, names, visible, decision.revision);
    return ok(visible);
  }

  #judge(route: Route, decision: Decision, userToken: string): Result<Permit, Refusal> {
    if (decision.effect !== 'allow') return fail(denied(decision.code ?? 'policy_error', decision.reason, decision.id, decision.revision));
    return ok({ route, decision, userToken } as Permit);
  }
}

/** A longer list would hold up every other question, or be larger than the policy channel takes. */
function isAskable(names: readonly string[]): boolean {
  return names.length <= MAX_NAMES && names.reduce((length, name) => length + name.length, 0) <= MAX_NAMES_LENGTH;
}

function withoutDecision(error: unknown): Refusal {
  if (error instanceof NoDecision) return noDecision(`no policy decision: ${error.message}`);
  throw error;
}

/** Reads an answer off the wire. Everything that is not plainly an ALLOW is a DENY. */
function readDecision(response: DecisionResponse): Decision {
  const allow = response.effect === 'ALLOW';
  const { principal } = response;
  return {
    effect: allow ? 'allow' : 'deny',
    code: allow ? undefined : (DENY_CODES as readonly string[]).includes(response.code) ? (response.code as DenyCode) : 'policy_error',
    reason: response.reason,
    policies: response.policies,
    wouldDeny: response.wouldDeny,
    vary: response.vary ?? { arguments: true, time: true },
    id: response.decisionId,
    revision: response.revision,
    principal:
      principal === null
        ? undefined
        : {
            user: { id: principal.userId, subject: principal.subject, issuer: principal.issuer, groups: principal.groups },
            agent: { namespace: principal.namespace, serviceAccount: principal.serviceAccount, pod: principal.pod || undefined },
          },
    obligations: { setHeaders: response.setHeaders, removeHeaders: response.removeHeaders, credential: response.credential },
    expiresAtMs: response.expiresAtMs,
  };
}
