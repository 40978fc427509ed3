import { CREDENTIAL_STORE_CLIENT_ID } from '../issuer/clients.ts';
import type { Expectation, ExpectedCall } from './expectations.ts';
import type { CallOutcome, Check, TraceOutcome, UserOutcome } from './outcome.ts';

function check(name: string, wanted: string, got: string): Check {
  return { name, ok: wanted === got, wanted, got };
}

function names(list: readonly string[] | undefined): string {
  return [...(list ?? [])].sort().join(', ') || 'none';
}

function expectedText(expected: ExpectedCall, wouldDeny: string | undefined): string {
  const trial = wouldDeny === undefined ? '' : `, would be denied by ${wouldDeny}`;
  return expected.outcome === 'allowed' ? `allowed${trial}` : `denied (4030): ${expected.reason}`;
}

function callText({ outcome, code, reason, wouldDeny }: CallOutcome): string {
  const trial = wouldDeny.length === 0 ? '' : `, would be denied by ${wouldDeny.join(', ')}`;
  return outcome === 'allowed' ? `allowed${trial}` : `${outcome} (${code}): ${reason}`;
}

/** Compares what happened to one user with what the bundle says. */
export function judgeUser(expected: Expectation, actual: UserOutcome, ticketsUrl: string): Check[] {
  const { user } = expected;
  const seen = new Map(actual.servers.map((server) => [server.server, server]));
  const checks: Check[] = [];
  for (const server of Object.keys(expected.tools)) {
    checks.push(check(`${user}: tools of ${server}`, names(expected.tools[server]), names(seen.get(server)?.tools)));
    checks.push(check(`${user}: prompts of ${server}`, names(expected.prompts[server]), names(seen.get(server)?.prompts)));
  }
  checks.push(check(`${user}: steps taken`, names(Object.keys(expected.calls)), names(actual.calls.map(({ step }) => step))));
  for (const call of actual.calls) {
    const wanted = expected.calls[call.step];
    if (wanted !== undefined)
      checks.push(check(`${user}: ${call.step}`, expectedText(wanted, expected.wouldDeny[call.step]), callText(call)));
    if (call.outcome === 'denied') {
      const identified = call.decisionId !== '' && call.revision !== '';
      checks.push(
        check(`${user}: ${call.step}, decision named`, 'decision id and revision', identified ? 'decision id and revision' : 'incomplete'),
      );
    }
  }
  checks.push(
    check(`${user}: audit records`, `one for each of ${actual.calls.length} calls`, `one for each of ${actual.auditedCalls} calls`),
  );
  const credential = actual.upstreamCredential;
  checks.push(
    check(
      `${user}: credential at the ticket server`,
      `${user}, for ${ticketsUrl}, from ${CREDENTIAL_STORE_CLIENT_ID}`,
      credential === null ? 'none' : `${credential.user}, for ${credential.audience}, from ${credential.clientId}`,
    ),
  );
  checks.push(check(`${user}: the agent's own token at the ticket server`, 'HTTP 401', `HTTP ${actual.ownTokenAtTickets}`));
  return checks;
}

/** One call is one SERVER span with a CLIENT span below it, and the server behind Sidegate is told the CLIENT span as its parent. */
export function judgeTrace({ spans, upstreamParentSpanId }: TraceOutcome): Check[] {
  const server = spans.filter(({ kind, service }) => kind === 'server' && service === 'sidegate-sidecar');
  const client = spans.filter(({ kind, service }) => kind === 'client' && service === 'sidegate-sidecar');
  return [
    check('trace: spans of the sidecar', '1 SERVER, 1 CLIENT', `${server.length} SERVER, ${client.length} CLIENT`),
    check('trace: CLIENT is below SERVER', server[0]?.spanId ?? 'a SERVER span', client[0]?.parentSpanId ?? 'no CLIENT span'),
    check('trace: the ticket server continues it', client[0]?.spanId ?? 'a CLIENT span', upstreamParentSpanId || 'no traceparent'),
  ];
}
