import assert from 'node:assert/strict';
import { parentPort, workerData } from 'node:worker_threads';
import { createParser } from 'eventsource-parser';
import fc from 'fast-check';
import { createFuzzedSidecar, type FuzzedSidecar, type Output } from './fuzzed-sidecar.ts';
import { ANSWER, type AnswerSpec, answerOf, type GeneratedAnswer } from './generated-answer.ts';
import { type GeneratedRequest, REQUEST, requestOf } from './generated-request.ts';
import { assertJudged } from './judged-as-sent.ts';
import { type Forwarded, PlayedServer } from './played-server.ts';
import { readLast } from './readers.ts';
import { hasMarker, hasMarkerAcrossLines } from './searched-output.ts';

/** What a worker is told. */
export interface FuzzRun {
  readonly messages: number;
  readonly seed: number;
}

/** Messages that follow each other at one sidecar, and shrink together. */
const MESSAGES_A_RUN = 20;
/** How many of them come a second time. */
const REPEATED = 2;

const EXCHANGES = fc.array(fc.record({ request: REQUEST, answer: ANSWER }), { minLength: MESSAGES_A_RUN, maxLength: MESSAGES_A_RUN });

/** What became of the messages. */
export type Outcome = 'forwarded' | 'malformed' | 'denied' | 'hidden' | 'shownInFull' | 'withheld' | 'streams' | 'judged';

const counts: Record<Outcome, number> = {
  forwarded: 0,
  malformed: 0,
  denied: 0,
  hidden: 0,
  shownInFull: 0,
  withheld: 0,
  streams: 0,
  judged: 0,
};

const ACCEPTED: GeneratedAnswer = { status: 202, headers: {}, pieces: [], hides: false, shown: undefined };

const isTold = ({ body }: Forwarded) => body.includes('"error":{"code":4030');

/** What the answer to a forwarded message starts from: the id, as it was sent, and the method. */
function askedIn(body: Buffer): { readonly method: unknown; readonly idJson: string } {
  if (body.length === 0) return { method: undefined, idJson: '7' };
  const { id = null, method } = readLast(body.toString()) as Record<string, unknown>;
  const idJson = JSON.stringify(id);
  // A number that does not survive being read is not the request's id to anybody who compares texts.
  const isExact = typeof id !== 'number' || (Number.isSafeInteger(id) && !Object.is(id, -0));
  return { method: isExact ? method : undefined, idJson };
}

function count({ status, body }: Output, answer: GeneratedAnswer | undefined): void {
  const code = Number(/"error":\{"code":(-?\d+),"message":"[^"]*","data":\{"sidegate"/.exec(body.toString())?.[1] ?? 0);
  if (answer === undefined) {
    if (code === 4030) counts.denied += 1;
    else if (status >= 400 || code < 0) counts.malformed += 1;
    return;
  }
  counts.forwarded += 1;
  if (code === 5020 || code === 4030) counts.withheld += 1;
  else if (answer.hides) counts.hidden += 1;
  if (answer.shown !== undefined && answer.shown.length > 0) counts.shownInFull += 1;
}

function dataIn(stream: string): string {
  const parts: string[] = [];
  const parser = createParser({ onEvent: ({ data }) => void parts.push(data) });
  // It waits for what follows a CR.
  parser.feed(`${stream}\n`);
  return parts.join('');
}

/** What is permitted is shown, whatever stood beside it. */
function assertShown({ status, body }: Output, { shown, headers }: GeneratedAnswer): void {
  if (shown === undefined) return;
  const isStream = /event-stream/i.test(headers['content-type'] ?? '');
  const text = body.toString().replace(/^\ufeff/, '');
  const data = isStream ? dataIn(text) : text;
  assert.notEqual(data.trim(), '', `nothing is shown, with status ${status}`);
  const { result } = JSON.parse(data) as { result: Record<string, Record<string, unknown>[]> };
  const items = result['tools'] ?? result['prompts'] ?? result['resources'] ?? result['resourceTemplates'] ?? [];
  assert.deepEqual(
    items.map((item) => item['name'] ?? item['uri'] ?? item['uriTemplate']),
    shown,
    text,
  );
}

async function exchange(sidecar: FuzzedSidecar, server: PlayedServer, request: GeneratedRequest, answerSpec: AnswerSpec): Promise<void> {
  const { decider } = sidecar;
  server.forwarded.length = 0;
  decider.allowed.length = 0;
  let answer: GeneratedAnswer | undefined;
  server.play = (forwarded) => {
    if (isTold(forwarded)) return ACCEPTED;
    answer = answerOf(answerSpec, askedIn(forwarded.body));
    return answer;
  };
  const output = await sidecar.send(request);
  for (const forwarded of server.forwarded) {
    if (isTold(forwarded)) continue;
    assertJudged(forwarded, decider.allowed);
    counts.judged += 1;
  }
  if (hasMarker(output.body) || hasMarkerAcrossLines(output.body)) {
    assert.fail(`what is hidden reached the agent: ${JSON.stringify(String(output.body))}`);
  }
  if (answer !== undefined && !request.isBatch) assertShown(output, answer);
  if (request.method !== 'POST') counts.streams += 1;
  else count(output, answer);
}

async function fuzz({ messages, seed }: FuzzRun): Promise<void> {
  const server = new PlayedServer(() => ACCEPTED);
  const sidecar = createFuzzedSidecar(new URL('http://files.test/mcp'), () => server);
  await fc.assert(
    fc.asyncProperty(EXCHANGES, async (exchanges) => {
      for (const { request, answer } of exchanges) await exchange(sidecar, server, requestOf(request), answer);
      // What was seen before takes ways of its own.
      for (const { request, answer } of exchanges.slice(-REPEATED)) await exchange(sidecar, server, requestOf(request), answer);
    }),
    { numRuns: Math.ceil(messages / MESSAGES_A_RUN), seed },
  );
  await sidecar.close();
}

await fuzz(workerData as FuzzRun);
parentPort?.postMessage(counts);
