/**
 * Names that others build dashboards and queries on. The `mcp.*`, `gen_ai.*`, `rpc.*`, `jsonrpc.*` and `network.*` names are those of
 * the OpenTelemetry semantic conventions for MCP (status: development); the `sidegate.*` names are ours.
 */
export const ATTRIBUTES = {
  method: 'mcp.method.name',
  protocolVersion: 'mcp.protocol.version',
  resourceUri: 'mcp.resource.uri',
  toolName: 'gen_ai.tool.name',
  promptName: 'gen_ai.prompt.name',
  operationName: 'gen_ai.operation.name',
  requestId: 'jsonrpc.request.id',
  errorType: 'error.type',
  rpcStatusCode: 'rpc.response.status_code',
  networkTransport: 'network.transport',
  networkProtocolName: 'network.protocol.name',
  networkProtocolVersion: 'network.protocol.version',
  serverAddress: 'server.address',
  serverPort: 'server.port',
  server: 'sidegate.server.name',
  user: 'sidegate.user.id',
  agent: 'sidegate.agent.id',
  decisionId: 'sidegate.decision.id',
  effect: 'sidegate.decision.effect',
  code: 'sidegate.decision.code',
  cached: 'sidegate.decision.cached',
  revision: 'sidegate.policy.revision',
  policies: 'sidegate.policy.ids',
  wouldDeny: 'sidegate.policy.would_deny',
  outcome: 'sidegate.outcome',
} as const;

export const METRICS = {
  /** Seconds from receiving a message to its last byte sent. */
  serverDuration: 'mcp.server.operation.duration',
  /** Seconds that the upstream server took. */
  clientDuration: 'mcp.client.operation.duration',
  /** Seconds of a message's time that were Sidegate's own. */
  overheadDuration: 'sidegate.overhead.duration',
  /** Messages, by outcome. */
  messages: 'sidegate.messages',
  /** Decisions that shadow policies would have turned into a denial. */
  wouldDeny: 'sidegate.would_deny',
  /** Audit records waiting to be acknowledged. */
  auditBacklog: 'sidegate.audit.backlog',
} as const;
