import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type RunningChild, startChild } from '../../examples/quick-start/child-process.ts';
import { choosePorts, type Ports } from '../../examples/quick-start/ports.ts';
import { everything, REPOSITORY, ticketsUrl } from '../../examples/quick-start/processes.ts';
import { claimStateDirectory } from '../../examples/quick-start/state-directory.ts';
import { createTicketsServer } from '../../examples/tickets-server/http.ts';
import { createTokenVerifier } from '../../examples/tickets-server/token-verifier.ts';
import { startTestIssuer, type TestIssuer, userClaims } from '../extauthz/support/test-issuer.ts';
import { type Gate, startGate } from '../support/gate.ts';
import { type ModernServer, startModernServer } from '../support/modern-server.ts';
import { EVERYTHING } from './sdk/everything-steps.ts';
import { MODERN_SURFACE } from './sdk/modern-steps.ts';
import type { Outcome } from './sdk/outcome.ts';
import { POLICIES } from './sdk/policies.ts';
import { RESTRICTED_EVERYTHING, RESTRICTED_MODERN, RESTRICTED_REPLAY } from './sdk/restricted-steps.ts';
import { RESUMPTION } from './sdk/resumption-steps.ts';
import { TASKS } from './sdk/task-steps.ts';
import { TICKETS } from './sdk/tickets-steps.ts';
import { type Step, type Transcript, transcribe } from './sdk/transcript.ts';
import { connectV1 } from './sdk/v1-client.ts';
import { connectV2, MODERN } from './sdk/v2-client.ts';

let ports: Ports;
let directory: string;
let reference: RunningChild;
let ticketsIssuer: TestIssuer;
let tickets: Server;
let modern: ModernServer;
let gate: Gate;
let ticketsToken: string;

before(async () => {
  ports = await choosePorts('auto');
  directory = mkdtempSync(join(tmpdir(), 'sidegate-sdk-clients-'));
  ticketsIssuer = await startTestIssuer();
  modern = await startModernServer();
  tickets = createTicketsServer(
    createTokenVerifier({ issuer: ticketsIssuer.url, jwksUri: ticketsIssuer.jwksUri, audience: ticketsUrl(ports) }),
    new URL(ticketsUrl(ports)),
  );
  await new Promise<void>((resolve) => tickets.listen(ports.tickets, '127.0.0.1', resolve));
  ticketsToken = await ticketsIssuer.sign(userClaims(ticketsIssuer, { aud: ticketsUrl(ports), client_id: 'sdk-clients' }));
  const catalogue = (server: string) => readFileSync(join(REPOSITORY, `examples/bundle/servers/${server}.tools.json`), 'utf8');
  [reference, gate] = await Promise.all([
    startChild(everything(ports, claimStateDirectory(directory, ticketsIssuer.url))),
    startGate({
      servers: { modern: modern.url, 'modern-streaming': modern.streamingUrl },
      policies: POLICIES,
      files: {
        'servers/everything.yaml': `name: everything\nurl: ${everythingUrl()}\ntransport: streamable-http\ncredential: {strategy: none}\ntools: everything.tools.json\n`,
        'servers/everything.tools.json': catalogue('everything'),
        'servers/tickets.yaml': `name: tickets\nurl: ${ticketsUrl(ports)}\ntransport: streamable-http\ncredential: {strategy: file, path: "tickets/{user}", header: authorization, format: "Bearer {secret}"}\ntools: tickets.tools.json\n`,
        'servers/tickets.tools.json': catalogue('tickets'),
      },
      secrets: { 'tickets/alice': ticketsToken },
    }),
  ]);
});

after(async () => {
  await gate.stop();
  await reference.stop();
  await modern.close();
  tickets.close();
  tickets.closeAllConnections();
  await ticketsIssuer.close();
  rmSync(directory, { recursive: true, force: true });
});

function everythingUrl(): string {
  return `http://127.0.0.1:${ports.everything}/mcp`;
}

/** One surface to compare: how to reach a server both ways, and what to do there. */
interface Comparison<C> {
  readonly connect: (url: string, token: string | undefined) => Promise<C>;
  readonly steps: readonly Step<C>[];
  readonly server: 'everything' | 'tickets' | 'modern' | 'modern-streaming';
  readonly user?: 'alice' | 'bob';
}

function directly(server: Comparison<unknown>['server']): { url: string; token: string | undefined } {
  switch (server) {
    case 'everything':
      return { url: everythingUrl(), token: undefined };
    case 'tickets':
      return { url: ticketsUrl(ports), token: ticketsToken };
    case 'modern':
      return { url: modern.url, token: undefined };
    case 'modern-streaming':
      return { url: modern.streamingUrl, token: undefined };
  }
}

/** Takes the steps directly and through the sidecar, and has one test for each. */
function compare<C extends { close(): Promise<void> }>(title: string, { connect, steps, server, user = 'alice' }: Comparison<C>): void {
  describe(title, () => {
    let direct: Transcript;
    let governed: Transcript;
    before(async () => {
      const { url, token } = directly(server);
      direct = await transcribe(() => connect(url, token), steps);
      const userToken = await gate.token(user);
      governed = await transcribe(() => connect(gate.url(server), userToken), steps);
    });
    for (const step of steps) it(step.name, () => assertGoverned(step, direct.get(step.name), governed.get(step.name)));
  });
}

function assertGoverned<C>(
  { fails, governed: rewritten, denied }: Step<C>,
  direct: Outcome | undefined,
  governed: Outcome | undefined,
): void {
  assert.ok(direct !== undefined && governed !== undefined);
  if (fails === undefined) assert.ok('value' in direct, `the server itself: ${JSON.stringify(direct)}`);
  else {
    assert.ok('error' in direct, `the server itself did not fail: ${JSON.stringify(direct)}`);
    const { code, data } = direct.error;
    assert.ok(code === fails || (data as { status?: unknown } | null)?.status === fails, JSON.stringify(direct));
  }
  if (denied !== undefined) return assertDenied(governed, denied);
  assert.deepEqual(governed, rewritten === undefined || !('value' in direct) ? direct : { value: rewritten(direct.value) });
}

/** What a denial looks like in the hands of the SDK's caller. */
function assertDenied(outcome: Outcome, reason: string): void {
  assert.ok('error' in outcome, `not denied: ${JSON.stringify(outcome)}`);
  const { code, message, data } = outcome.error;
  assert.equal(code, 4030);
  assert.ok(message.endsWith(reason), message);
  const { sidegate } = data as { sidegate: Record<string, string> };
  assert.deepEqual(Object.keys(sidegate).sort(), ['decisionId', 'reason', 'revision']);
  assert.equal(sidegate['reason'], reason);
  for (const [key, value] of Object.entries(sidegate)) assert.ok(value.length > 0, `${key} is empty`);
}

const connectV2Legacy = (url: string, token: string | undefined) => connectV2(url, token, 'legacy');
const connectV2Modern = (url: string, token: string | undefined) => connectV2(url, token, MODERN);
const connectV1Resuming = (url: string, token: string | undefined) => connectV1(url, token, 10);
const connectV2Resuming = (url: string, token: string | undefined) => connectV2(url, token, 'legacy', 10);

describe('TypeScript SDK v1 and the reference server', () => {
  compare('the whole surface', { connect: connectV1, steps: EVERYTHING, server: 'everything' });
  compare('broken streams', { connect: connectV1Resuming, steps: RESUMPTION, server: 'everything' });
  compare('tasks', { connect: connectV1, steps: TASKS, server: 'everything' });
  compare('what policy hides', { connect: connectV1, steps: RESTRICTED_EVERYTHING, server: 'everything', user: 'bob' });
  compare('what policy hides, replayed', { connect: connectV1, steps: RESTRICTED_REPLAY, server: 'everything', user: 'bob' });
});

describe('TypeScript SDK v2, legacy, and the reference server', () => {
  compare('the whole surface', { connect: connectV2Legacy, steps: EVERYTHING, server: 'everything' });
  compare('broken streams', { connect: connectV2Resuming, steps: RESUMPTION, server: 'everything' });
  compare('what policy hides', { connect: connectV2Legacy, steps: RESTRICTED_EVERYTHING, server: 'everything', user: 'bob' });
  compare('what policy hides, replayed', { connect: connectV2Legacy, steps: RESTRICTED_REPLAY, server: 'everything', user: 'bob' });
});

describe('the ticket server', () => {
  compare('TypeScript SDK v1', { connect: connectV1, steps: TICKETS, server: 'tickets' });
  compare('TypeScript SDK v2, legacy', { connect: connectV2Legacy, steps: TICKETS, server: 'tickets' });
  compare('TypeScript SDK v2, modern', { connect: connectV2Modern, steps: TICKETS, server: 'tickets' });
});

describe('TypeScript SDK v2, modern, and a modern server', () => {
  compare('the whole surface', { connect: connectV2Modern, steps: MODERN_SURFACE, server: 'modern' });
  compare('the whole surface in event streams', { connect: connectV2Modern, steps: MODERN_SURFACE, server: 'modern-streaming' });
  compare('what policy hides', { connect: connectV2Modern, steps: RESTRICTED_MODERN, server: 'modern', user: 'bob' });
  compare('what policy hides, in event streams', {
    connect: connectV2Modern,
    steps: RESTRICTED_MODERN,
    server: 'modern-streaming',
    user: 'bob',
  });
});
