import { fail, ok, type Result } from '../extauthz/api/result.ts';
import { type Admitted, conversationOf } from './admitted.ts';
import type { Decider } from './authz/decide.ts';
import { denied, type Refusal, rejected } from './denial.ts';
import type { InboundMessage } from './mcp/message.ts';
import type { ServerRequests } from './server-requests.ts';

const INVALID_PARAMS = -32602;
/** Each is a decision of its own, all made before the subscription begins. */
const MAX_SUBSCRIPTIONS = 200;

export interface PartsOptions {
  readonly decider: Decider;
  readonly serverRequests: ServerRequests;
}

/** What one decision about the message as a whole does not cover: whose question it answers, and each resource that it subscribes to. */
export async function governParts(
  admitted: Admitted,
  { message }: InboundMessage,
  body: Buffer,
  { decider, serverRequests }: PartsOptions,
): Promise<Result<undefined, Refusal>> {
  const { permit, userToken } = admitted;
  if (message.kind === 'response') {
    const isAwaited = serverRequests.isAwaited(conversationOf(admitted), body.toString('utf8', message.idSpan.start, message.idSpan.end));
    return isAwaited ? ok(undefined) : fail(rejected('malformed', 400, 'no request of the server waits for this answer'));
  }
  if (message.method !== 'subscriptions/listen') return ok(undefined);
  const uris = subscribedUris(message);
  if (uris === undefined)
    return fail(rejected('malformed', 200, 'params.notifications.resourceSubscriptions must be a list of URIs', INVALID_PARAMS));
  if (uris.length > MAX_SUBSCRIPTIONS)
    return fail(rejected('malformed', 200, `at most ${MAX_SUBSCRIPTIONS} resources can be subscribed to at once`, INVALID_PARAMS));
  const visible = await decider.visible(permit, 'resources/list', uris, userToken);
  if (!visible.ok) return visible;
  const hidden = uris.find((_uri, index) => visible.value[index] !== true);
  if (hidden === undefined) return ok(undefined);
  // Asked about by itself, for the reason that its policy gives.
  const params = Buffer.from(JSON.stringify({ uri: hidden }));
  const { outcome, decision } = await decider.decide({ route: permit.route, method: 'resources/read', target: hidden, params, userToken });
  admitted.exchange.decision = decision;
  const { id, revision } = permit.decision;
  return outcome.ok ? fail(denied('not_permitted', `no policy permits reading ${hidden}`, id, revision)) : outcome;
}

/** What a `subscriptions/listen` request asks to hear. */
export function notificationsOf(message: InboundMessage['message']): Readonly<Record<string, unknown>> {
  const notifications = message.kind === 'response' ? undefined : message.params?.['notifications'];
  return typeof notifications === 'object' && notifications !== null ? (notifications as Record<string, unknown>) : {};
}

/** Undefined when it is not a list of URIs. */
function subscribedUris(message: InboundMessage['message']): readonly string[] | undefined {
  const uris = notificationsOf(message)['resourceSubscriptions'];
  if (uris === undefined) return [];
  return Array.isArray(uris) && uris.every((uri) => typeof uri === 'string') ? uris : undefined;
}
