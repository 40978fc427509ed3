import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Refusal, refusalBody, upstreamFailed } from '../denial.ts';
import type { Era } from '../mcp/protocol-version.ts';
import { isEventStream } from '../relay.ts';
import { partsOf, wholeOf } from './answer-parts.ts';
import { EventSink } from './event-sink.ts';
import { fromServer } from './from-server.ts';
import { federatedName } from './names.ts';
import type { RequestsUnderWay } from './requests-under-way.ts';

export interface PassOnOptions {
  readonly server: string;
  readonly era: Era;
  /** The id of the request as it was sent; undefined when nothing waits for a response. */
  readonly idJson: string | undefined;
  readonly underWay: RequestsUnderWay;
}

/** Fields of an inner answer that are the agent's business. */
const PASSED_ON = ['cache-control', 'content-type', 'retry-after', 'x-accel-buffering'];

const UNREADABLE = upstreamFailed('upstream_answer', 'the answer of the server cannot be read, so it was withheld');
const BROKEN_OFF = upstreamFailed('upstream_unreachable', 'the server broke off its answer');

/** Passes the answer of one server on to the agent, under the names that the agent knows. A `Refusal` is to be sent in its place. */
export function passOn(answer: IncomingMessage, response: ServerResponse, options: PassOnOptions): Promise<Refusal | undefined> {
  return isEventStream(answer.headers) ? passOnEvents(answer, new EventSink(response), options) : passOnWhole(answer, response, options);
}

async function passOnWhole(answer: IncomingMessage, response: ServerResponse, options: PassOnOptions): Promise<Refusal | undefined> {
  const { server, era, idJson, underWay } = options;
  const status = answer.statusCode ?? 500;
  // To the agent it would say that its session with all servers has ended.
  if (status === 404 && era === 'legacy') {
    answer.resume();
    return upstreamFailed('upstream_unreachable', 'the session with the server has ended');
  }
  let whole: Buffer;
  try {
    whole = await wholeOf(answer);
  } catch {
    return BROKEN_OFF;
  }
  const message = whole.length === 0 ? undefined : fromServer(server, era, whole);
  // With an error status it may be any text, which no client takes for a message.
  const isHeard = message !== undefined && underWay.isHeard(server, message, idJson);
  if (!isHeard && whole.length > 0 && status < 400) return UNREADABLE;
  if (isHeard && message.kind === 'response') underWay.answered(message.message['id']);
  for (const name of PASSED_ON) {
    const value = answer.headers[name];
    if (value !== undefined) response.setHeader(name, value);
  }
  response.statusCode = status;
  response.end(message?.bytes ?? whole);
  return undefined;
}

async function passOnEvents(answer: IncomingMessage, sink: EventSink, options: PassOnOptions): Promise<undefined> {
  const { server, era, idJson, underWay } = options;
  sink.open();
  let isAnswered = false;
  let canResume = false;
  try {
    for await (const { data, id: own, retry } of partsOf(answer)) {
      const id = own === undefined || own === '' ? undefined : federatedName(server, own);
      canResume ||= id !== undefined;
      const message = data === undefined || data.length === 0 ? undefined : fromServer(server, era, data);
      if (message === undefined || !underWay.isHeard(server, message, idJson)) {
        // Servers replay the empty event that opened a stream as `{}`, which says nothing.
        await sink.pulse({ id, retry });
        continue;
      }
      if (message.kind === 'response') {
        isAnswered = true;
        underWay.answered(message.message['id']);
      }
      await sink.message(message.bytes, { id, retry });
    }
  } catch {
    // The answer broke off; the agent is told below.
  }
  if (!isAnswered && !canResume && idJson !== undefined) await sink.message(Buffer.from(refusalBody(BROKEN_OFF, idJson)));
  sink.end();
  return undefined;
}
