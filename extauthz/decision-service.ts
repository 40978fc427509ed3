import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Logger } from '../runtime/logger.ts';
import type { Decision, DenyCode, Vary, Verdict } from './api/decision.ts';
import { parseParams } from './api/json-params.ts';
import { HTTP_METHODS, isNormalUri, LIST_METHODS, type Operation, operationOf } from './api/operation.ts';
import type { Agent, Principal } from './api/principal.ts';
import { fail, ok, type Result } from './api/result.ts';
import { type Broker, removedHeaders } from './broker/broker.ts';
import type { SecretHeader } from './broker/credential-strategy.ts';
import { publicReason } from './identity/token-failure.ts';
import type { UserVerifier, VerifiedUser } from './identity/user.ts';
import type { Bundle, ServerEntry } from './policy/engine.ts';
import { taskVerdict } from './task-verdict.ts';

/** What an enforcement point asks. The agent is verified already; the user token is not. */
export interface Question {
  readonly agent: Agent;
  readonly server: string;
  /** JSON-RPC method or one of `HTTP_METHODS`. */
  readonly method: string;
  /** Bytes of the JSON-RPC `params`; empty when absent. */
  readonly params: Uint8Array;
  /** Empty when absent. */
  readonly userToken: string;
  /** The revision that must answer; empty for any. */
  readonly minRevision: string;
  /**
   * Whether the agent's `Authorization` is for the server and the user's token came in another field. Nothing else can carry a message to a server
   * with the credential strategy `agent`.
   */
  readonly keepsAgentCredential?: boolean;
}

/** A decision whose credentials are still wrapped; a door unwraps them when it writes to the wire. */
export interface Ruling extends Omit<Decision, 'obligations'> {
  readonly obligations: {
    readonly setHeaders: readonly SecretHeader[];
    readonly removeHeaders: readonly string[];
    readonly credential: string;
  };
  /** What was asked about; undefined when the question could not be read that far. */
  readonly operation: Operation | undefined;
}

export interface ListRuling extends Ruling {
  /** One entry a name, in the order asked; all false when denied. */
  readonly visible: readonly boolean[];
}

export interface DecisionService {
  /** Decides one message. Never rejects: a fault inside is logged and denies. */
  decide(question: Question): Promise<Ruling>;
  /** Decides which names of a list answer the user may see. `question.method` must be a list method. Never rejects. */
  filter(question: Question, names: readonly string[]): Promise<ListRuling>;
}

export interface DecisionServiceOptions {
  /** The bundle in force. */
  readonly bundle: () => Bundle | undefined;
  readonly users: UserVerifier;
  readonly broker: Broker;
  readonly now: () => number;
  readonly newId: () => string;
  readonly logger: Logger;
}

/** A decision's own limit, below the token's: a changed group claim must come through. */
const MAX_DECISION_AGE_MS = 300_000;
/** How long a credential may be used before it is asked for again: as long as a sidecar's lease. */
const MAX_CREDENTIAL_AGE_MS = 6_000;
const NAMES_AT_ONCE = 25;
const LONGEST_TURN_MS = 1;
/** A longer list is no list of an MCP server, and would hold up everyone else. */
const MAX_LIST_NAMES = 10_000;
/** A denial that did not come from policy depends on more than the question, so it must not be cached. */
const VARIES: Vary = { arguments: true, time: true };
const NO_OBLIGATIONS: Ruling['obligations'] = { setHeaders: [], removeHeaders: [], credential: '' };
const EMPTY = new Uint8Array(0);

/** Each URI is a decision of its own, all made before the subscription begins. */
const MAX_SUBSCRIPTIONS = 200;
const UNREADABLE_SUBSCRIPTION: Verdict = {
  effect: 'deny',
  code: 'invalid_arguments',
  reason: `resourceSubscriptions must be a list of at most ${MAX_SUBSCRIPTIONS} URIs in normal form`,
  policies: [],
  wouldDeny: [],
  vary: VARIES,
};

interface Denial {
  readonly code: DenyCode;
  readonly reason: string;
}

/** What is known so far; fills up as the checks go on, so that a denial says who asked as early as that is known. */
interface Progress {
  revision: string;
  principal?: Principal;
  operation?: Operation;
  expiresAtMs: number;
}

interface Admitted {
  readonly bundle: Bundle;
  readonly principal: Principal;
  readonly server: ServerEntry;
}

export function createDecisionService({ bundle: current, users, broker, now, newId, logger }: DecisionServiceOptions): DecisionService {
  const rule = (progress: Progress, verdict: Verdict, obligations: Ruling['obligations']): Ruling => ({
    ...verdict,
    id: newId(),
    revision: progress.revision,
    principal: progress.principal,
    operation: progress.operation,
    obligations,
    expiresAtMs: progress.expiresAtMs,
  });
  const deny = (progress: Progress, { code, reason }: Denial): Ruling =>
    rule(progress, { effect: 'deny', code, reason, policies: [], wouldDeny: [], vary: VARIES }, NO_OBLIGATIONS);

  /** The checks before policy, in the order in which a failure is the caller's first problem. */
  async function admit(question: Question, progress: Progress): Promise<Result<Admitted, Denial>> {
    const user = await users.verify(question.userToken, now());
    // Read after the wait: from here to the verdict nothing waits again, so a reload never splits a decision in two.
    const bundle = current();
    if (bundle === undefined) return fail({ code: 'unavailable', reason: 'no policy is loaded yet' });
    progress.revision = bundle.revision;
    if (question.minRevision !== '' && question.minRevision !== bundle.revision) {
      return fail({ code: 'unavailable', reason: 'this policy service does not have the policy revision that was asked for' });
    }
    if (!user.ok) {
      logger.info({ kind: user.failure.kind, detail: user.failure.detail, agent: question.agent }, 'user token refused');
      const code = user.failure.kind === 'keys_unavailable' ? 'unavailable' : 'unauthenticated';
      return fail({ code, reason: publicReason(user.failure, 'user') });
    }
    const principal = principalOf(bundle, user.value, question.agent);
    progress.principal = principal;
    progress.expiresAtMs = Math.min(progress.expiresAtMs, user.value.expiresAtMs);
    const server = bundle.servers.get(question.server);
    if (server === undefined) return fail({ code: 'unknown_server', reason: 'the server is not registered' });
    return ok({ bundle, principal, server });
  }

  async function decide(question: Question, progress: Progress): Promise<Ruling> {
    const admitted = await admit(question, progress);
    if (!admitted.ok) return deny(progress, admitted.failure);
    const { bundle, principal, server } = admitted.value;

    const operation = readOperation(question);
    if (!operation.ok) return deny(progress, operation.failure);
    progress.operation = operation.value;

    const asked = { principal, server: server.name, operation: operation.value, params: question.params, nowMs: now() };
    const verdict = question.method === HTTP_METHODS.task ? taskVerdict(bundle, asked, toolOf(question)) : bundle.evaluate(asked);
    // Only the literal `allow` goes on; whatever else an evaluation might give is a denial.
    if (verdict.effect !== 'allow') return rule(progress, verdict, NO_OBLIGATIONS);
    const hidden = hiddenSubscription(question, (uri) => {
      const reading = { action: 'ReadResource', target: uri } as const;
      return bundle.evaluate({ principal, server: server.name, operation: reading, params: EMPTY, nowMs: now() });
    });
    if (hidden !== undefined) return rule(progress, { ...hidden, vary: VARIES }, NO_OBLIGATIONS);

    if (server.credential.strategy === 'agent' && question.keepsAgentCredential !== true)
      return deny(progress, {
        code: 'no_credential',
        reason: `${server.name} authorizes agents itself, and only a sidecar can carry what they show it`,
      });
    const credential = await broker.issue(server.credential, principal.user);
    if (!credential.ok) {
      logger.warn({ server: server.name, user: principal.user.id, ...credential.failure }, 'no credential');
      return deny(progress, { code: 'no_credential', reason: `you have no usable credential for ${server.name}` });
    }
    const { setHeaders, label, expiresAtMs } = credential.value;
    // A secret that is withdrawn or rotated must not live on in a sidecar's cache.
    if (setHeaders.length > 0) progress.expiresAtMs = Math.min(progress.expiresAtMs, now() + MAX_CREDENTIAL_AGE_MS);
    if (expiresAtMs !== undefined) progress.expiresAtMs = Math.min(progress.expiresAtMs, expiresAtMs);
    // What was allowed is this subscription, not any other.
    const vary = question.method === 'subscriptions/listen' ? VARIES : verdict.vary;
    return rule(progress, { ...verdict, vary }, { setHeaders, removeHeaders: removedHeaders(server.credential), credential: label });
  }

  async function filter(question: Question, names: readonly string[], progress: Progress): Promise<ListRuling> {
    const hidden = (ruling: Ruling): ListRuling => ({ ...ruling, visible: names.map(() => false) });
    const list = LIST_METHODS.get(question.method);
    const admitted = await admit(question, progress);
    if (!admitted.ok) return hidden(deny(progress, admitted.failure));
    if (list === undefined) return hidden(deny(progress, { code: 'invalid_arguments', reason: 'the method is not a list method' }));
    if (names.length > MAX_LIST_NAMES) return hidden(deny(progress, { code: 'invalid_arguments', reason: 'the list is too long' }));
    const { bundle, principal, server } = admitted.value;

    const operation: Operation = { action: 'Connect', target: '' };
    progress.operation = operation;
    const nowMs = now();
    const verdict = bundle.evaluate({ principal, server: server.name, operation, params: EMPTY, nowMs });
    if (verdict.effect !== 'allow') return hidden(rule(progress, verdict, NO_OBLIGATIONS));
    const visible: boolean[] = [];
    let turnBeganMs = performance.now();
    for (let from = 0; from < names.length; from += NAMES_AT_ONCE) {
      // A long list may take a while; others are decided in between.
      if (performance.now() - turnBeganMs > LONGEST_TURN_MS) {
        await nextTurn();
        turnBeganMs = performance.now();
      }
      const some = names.slice(from, from + NAMES_AT_ONCE);
      const judged = bundle.visible({ principal, server: server.name, action: list.action, names: some, nowMs });
      // What reading would refuse for its spelling is not shown either.
      visible.push(...judged.map((shown, index) => shown && (question.method !== 'resources/list' || isNormalUri(some[index] ?? ''))));
    }
    if (visible.length !== names.length) throw new Error('policy answered for another number of names');
    const vary = { ...verdict.vary, time: verdict.vary.time || bundle.readsTime };
    return { ...rule(progress, { ...verdict, vary }, NO_OBLIGATIONS), visible };
  }

  /** Turns a fault into a denial: no path through this service ends in anything but a ruling. */
  async function guarded<R extends Ruling>(work: (progress: Progress) => Promise<R>, denied: (ruling: Ruling) => R): Promise<R> {
    const progress: Progress = { revision: '', expiresAtMs: now() + MAX_DECISION_AGE_MS };
    try {
      return await work(progress);
    } catch (error) {
      logger.error({ err: error, revision: progress.revision }, 'a fault while deciding; denied');
      return denied(deny(progress, { code: 'policy_error', reason: 'the policy could not be evaluated' }));
    }
  }

  return {
    decide: (question) =>
      guarded(
        (progress) => decide(question, progress),
        (ruling) => ruling,
      ),
    filter: (question, names) =>
      guarded(
        (progress) => filter(question, names, progress),
        (ruling) => ({ ...ruling, visible: names.map(() => false) }),
      ),
  };
}

function principalOf(bundle: Bundle, user: VerifiedUser, agent: Agent): Principal {
  const { id, subject, issuer, tokenGroups } = user;
  return { user: { id, subject, issuer, groups: bundle.groupsOf(id, [...tokenGroups], agent) }, agent };
}

/** The tool that made the task which the question is about. */
function toolOf({ params }: Question): string | undefined {
  const read = readParams(params);
  const tool = read.ok ? read.value?.['tool'] : undefined;
  return typeof tool === 'string' ? tool : undefined;
}

/** The first resource that a `subscriptions/listen` names and the user may not read: its denial. */
function hiddenSubscription({ method, params }: Question, read: (uri: string) => Verdict): Verdict | undefined {
  if (method !== 'subscriptions/listen') return undefined;
  const parsed = readParams(params);
  const notifications = parsed.ok ? parsed.value?.['notifications'] : undefined;
  const uris: unknown = isObject(notifications) ? notifications['resourceSubscriptions'] : undefined;
  if (uris === undefined) return undefined;
  const unreadable: Verdict = { ...UNREADABLE_SUBSCRIPTION };
  if (!Array.isArray(uris) || uris.length > MAX_SUBSCRIPTIONS) return unreadable;
  for (const uri of uris as readonly unknown[]) {
    if (typeof uri !== 'string' || !isNormalUri(uri)) return unreadable;
    const verdict = read(uri);
    if (verdict.effect !== 'allow') return verdict;
  }
  return undefined;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function readOperation({ method, params }: Question): Result<Operation, Denial> {
  if (method === '') return fail({ code: 'invalid_arguments', reason: 'the method is missing' });
  const read = readParams(params);
  if (!read.ok) return read;
  const operation = operationOf(method, read.value);
  return operation.ok
    ? operation
    : fail({ code: 'invalid_arguments', reason: `${operation.failure.parameter} is missing or not a string` });
}

function readParams(params: Uint8Array): Result<Readonly<Record<string, unknown>> | undefined, Denial> {
  if (params.length === 0) return ok(undefined);
  const parsed = parseParams(params);
  const value: unknown = parsed.ok ? parsed.value.value : undefined;
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return fail({ code: 'invalid_arguments', reason: 'params is not a JSON object' });
  return ok(value as Record<string, unknown>);
}
