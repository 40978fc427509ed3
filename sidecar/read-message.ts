import { HTTP_METHODS } from '../extauthz/api/operation.ts';
import { fail, type Result } from '../extauthz/api/result.ts';
import { type Refusal, rejected } from './denial.ts';
import type { Exchange } from './exchange.ts';
import { type InboundMessage, readInbound } from './mcp/message.ts';

/** Reads the body of a POST as one message, and notes in the exchange what it says. */
export function readMessage(exchange: Exchange, body: Buffer): Result<InboundMessage, Refusal> {
  const parsed = readInbound(exchange.request, body);
  if (!parsed.ok) {
    const { httpStatus, rpcCode, message, idJson } = parsed.failure;
    exchange.idJson = idJson;
    return fail(rejected('malformed', httpStatus, message, rpcCode));
  }
  const { message, operation, protocolVersion } = parsed.value;
  exchange.protocolVersion = protocolVersion ?? '';
  exchange.target = operation.target;
  if (message.kind === 'response') exchange.method = HTTP_METHODS.clientResponse;
  else {
    exchange.method = message.method;
    if (message.kind === 'request') exchange.idJson = body.toString('utf8', message.idSpan.start, message.idSpan.end);
    if (message.paramsSpan !== undefined) exchange.params = body.subarray(message.paramsSpan.start, message.paramsSpan.end);
    const args = message.params?.['arguments'];
    if (typeof args === 'object' && args !== null) exchange.argumentNames = Object.keys(args);
  }
  return parsed;
}
