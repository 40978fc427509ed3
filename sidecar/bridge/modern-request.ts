import { type Refusal, rejected } from '../denial.ts';
import { encodeHeaderValue, nameParameter } from '../mcp/standard-headers.ts';
import { type Caller, plainHeaders } from './caller.ts';
import type { Changes } from './json-text.ts';
import type { Message } from './message.ts';
import { META, MODERN_VERSION } from './meta-keys.ts';

/** What a legacy client said once and a modern one says with every request, each as JSON. */
export interface ClientDeclaration {
  readonly clientInfo: string | undefined;
  readonly capabilities: string;
  readonly logLevel: string | undefined;
}

/** What a client says of itself is kept as long as its session: a few hundred bytes are usual. */
const MAX_DECLARED_BYTES = 65_536;

/** Why a client that says too much of itself gets no session; undefined when it does not. */
export function tooMuchDeclared(capabilities: string, clientInfo = ''): Refusal | undefined {
  const isTooMuch = Buffer.byteLength(capabilities) + Buffer.byteLength(clientInfo) > MAX_DECLARED_BYTES;
  return isTooMuch ? rejected('too_large', 413, `the client declares more than ${MAX_DECLARED_BYTES} bytes of itself`) : undefined;
}

/** What a retry adds (multi round-trip requests), each as JSON. */
export interface RoundTrip {
  readonly inputResponses: string | undefined;
  readonly requestState: string | undefined;
}

/** `_meta` of a modern request. Keys of the agent's own that would say something else are replaced. */
export function modernMeta({ clientInfo, capabilities, logLevel }: ClientDeclaration): Changes {
  return {
    [META.protocolVersion]: JSON.stringify(MODERN_VERSION),
    [META.clientCapabilities]: capabilities,
    [META.clientInfo]: clientInfo ?? null,
    [META.logLevel]: logLevel ?? null,
  };
}

/**
 * A legacy request as a modern one.
 * @param idJson the id to send it under
 * @param traceparent the sidecar's own span (SEP-414)
 */
export function modernRequest(
  message: Message,
  idJson: string,
  declared: ClientDeclaration,
  roundTrip: RoundTrip,
  traceparent?: string,
): Uint8Array {
  return message.json.with({
    id: idJson,
    params: {
      _meta: { ...modernMeta(declared), ...(traceparent !== undefined && { traceparent: JSON.stringify(traceparent) }) },
      // Only the bridge answers the server's questions: it alone was asked.
      inputResponses: roundTrip.inputResponses ?? null,
      requestState: roundTrip.requestState ?? null,
    },
  });
}

/** The fields of a modern request (Streamable HTTP, "Standard Request Headers"). */
export function modernHeaders(
  caller: Caller,
  method: string,
  params: Readonly<Record<string, unknown>> | undefined,
  repeated: Record<string, string> = {},
): Record<string, string> {
  const parameter = nameParameter(method);
  const name = parameter === undefined ? undefined : params?.[parameter];
  return {
    ...plainHeaders(caller),
    'mcp-protocol-version': MODERN_VERSION,
    'mcp-method': method,
    ...(typeof name === 'string' && { 'mcp-name': encodeHeaderValue(name) }),
    ...repeated,
  };
}
