import type { Logger } from '../runtime/logger.ts';
import { internalFault, type Refusal, refusalBody } from './denial.ts';
import type { Ending, Exchange } from './exchange.ts';

/** Answers the agent with a refusal, as far as the connection still allows. Every refusal is written here. */
export function refuse(exchange: Exchange, refusal: Refusal): Ending {
  exchange.refusal = refusal;
  const { request, response, idJson } = exchange;
  const outcome = outcomeOf(refusal);
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return { outcome, httpStatus: response.headersSent ? response.statusCode : null, rpcCode: refusal.rpcCode, responseBytes: 0 };
  }
  const body = refusalBody(refusal, idJson);
  // A notification has no answer that could carry a JSON-RPC error, so its HTTP status must tell.
  const httpStatus = refusal.httpStatus === 200 && idJson === undefined ? 403 : refusal.httpStatus;
  response.statusCode = httpStatus;
  response.setHeader('content-type', 'application/json');
  response.setHeader('content-length', Buffer.byteLength(body));
  if (refusal.allow !== undefined) response.setHeader('allow', refusal.allow);
  // What the agent still has to send would be read as the next request.
  if (!request.complete) response.setHeader('connection', 'close');
  response.end(body);
  return { outcome, httpStatus, rpcCode: refusal.rpcCode, responseBytes: body.length };
}

function outcomeOf({ code }: Refusal): Ending['outcome'] {
  switch (code) {
    case 'malformed':
    case 'unknown_route':
    case 'capture_required':
    case 'unknown_session':
    case 'foreign_origin':
    case 'too_large':
    case 'too_slow':
    case 'wrong_method':
      return 'rejected';
    case 'upstream_unreachable':
    case 'upstream_credential':
    case 'upstream_redirect':
    case 'upstream_answer':
      return 'upstream_error';
    default:
      return 'denied';
  }
}

/** Where every fault of the request path ends: it is logged, the agent is told that there was one, and nothing is let through. */
export function rescue(error: unknown, exchange: Exchange, logger: Logger): Ending {
  logger.error({ err: error, method: exchange.method, server: exchange.route?.name }, 'fault while handling a message');
  return refuse(exchange, internalFault());
}
