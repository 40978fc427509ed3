import { type Environment, readSettings, SettingsError, type SettingValues, setting } from '../runtime/env.ts';
import { logLevel, otlpEndpoint } from '../runtime/process-settings.ts';
import { address, optionalHeaders, optionalText, text, wholeNumber } from '../runtime/setting-types.ts';

/** The sidecar's settings. The injector writes these variables into pods, so it reads their names from here. */
export const sidecarSettings = {
  listen: setting({
    env: 'SIDEGATE_LISTEN',
    schema: address,
    default: '127.0.0.1:9400',
    meaning: 'Where the agent connects. Keep it on loopback: whoever can reach it can use the agent’s rights.',
  }),
  adminListen: setting({
    env: 'SIDEGATE_ADMIN_LISTEN',
    schema: address,
    default: ':9401',
    meaning: 'Where `/healthz`, `/readyz` and `/metrics` are served.',
  }),
  policyAddress: setting({
    env: 'SIDEGATE_POLICY_ADDRESS',
    schema: address,
    meaning: 'The policy service’s gRPC address.',
  }),
  policyCaFile: setting({
    env: 'SIDEGATE_POLICY_CA_FILE',
    schema: optionalText,
    meaning:
      'PEM file of the certificate authority that signed the policy service’s certificate. This or `SIDEGATE_POLICY_CA_PEM` is required.',
  }),
  policyCaPem: setting({
    env: 'SIDEGATE_POLICY_CA_PEM',
    schema: optionalText,
    meaning: 'The same, as the PEM text itself.',
  }),
  policyServerName: setting({
    env: 'SIDEGATE_POLICY_SERVER_NAME',
    schema: optionalText,
    meaning: 'The name to expect in the policy service’s certificate, when it differs from the address.',
  }),
  workloadTokenFile: setting({
    env: 'SIDEGATE_WORKLOAD_TOKEN_FILE',
    schema: text,
    meaning: 'The projected service-account token that proves which pod this is. Read again when it is rotated.',
  }),
  stateDir: setting({
    env: 'SIDEGATE_STATE_DIR',
    schema: optionalText,
    meaning: 'Directory for audit records that the policy service has not acknowledged yet. Without it they are kept in memory only.',
  }),
  maxBodyBytes: setting({
    env: 'SIDEGATE_MAX_BODY_BYTES',
    schema: wholeNumber(1_024, 268_435_456),
    default: '4194304',
    meaning:
      'Largest JSON-RPC message accepted from the agent, and largest list answer or event taken apart from a server, in bytes. Whatever its size, an agent’s message may hold 100,000 objects, arrays and members in all, a server’s 250,000.',
  }),
  receiveTimeoutMs: setting({
    env: 'SIDEGATE_RECEIVE_TIMEOUT_MS',
    schema: wholeNumber(100, 3_600_000),
    default: '30000',
    meaning: 'Time the agent has to send a whole request, in milliseconds.',
  }),
  decisionTimeoutMs: setting({
    env: 'SIDEGATE_DECISION_TIMEOUT_MS',
    schema: wholeNumber(10, 60_000),
    default: '500',
    meaning: 'Time the policy service has to decide, in milliseconds; then the message is refused.',
  }),
  upstreamTimeoutMs: setting({
    env: 'SIDEGATE_UPSTREAM_TIMEOUT_MS',
    schema: wholeNumber(100, 86_400_000),
    default: '300000',
    meaning: 'Time a server has to begin its answer, in milliseconds.',
  }),
  listTtlMs: setting({
    env: 'SIDEGATE_LIST_TTL_MS',
    schema: wholeNumber(0, 86_400_000),
    default: '30000',
    meaning: 'Longest time a client is told it may keep a filtered list, in milliseconds.',
  }),
  auditBacklog: setting({
    env: 'SIDEGATE_AUDIT_BACKLOG',
    schema: wholeNumber(100, 10_000_000),
    default: '100000',
    meaning: 'Unacknowledged audit records kept before new messages are refused.',
  }),
  federationTimeoutMs: setting({
    env: 'SIDEGATE_FEDERATION_TIMEOUT_MS',
    schema: wholeNumber(10, 600_000),
    default: '5000',
    meaning:
      'Time each server has where `/mcp` asks all of them, for lists for example, in milliseconds; then the answer goes out without it.',
  }),
  federationIdleMs: setting({
    env: 'SIDEGATE_FEDERATION_IDLE_MS',
    schema: wholeNumber(100, 604_800_000),
    default: '1800000',
    meaning: 'Time after which a session at `/mcp` or a view that nobody uses is ended, in milliseconds.',
  }),
  federationMaxSessions: setting({
    env: 'SIDEGATE_FEDERATION_MAX_SESSIONS',
    schema: wholeNumber(1, 1_000_000),
    default: '1000',
    meaning: 'Most sessions at `/mcp` and views that are kept at once; then whoever has most loses the one that was unused for longest.',
  }),
  stdioCommands: setting({
    env: 'SIDEGATE_STDIO_COMMANDS',
    schema: optionalText,
    meaning:
      'Commands that the bundle may have the sidecar start as stdio servers, separated by commas: names or absolute paths, exactly as the bundle writes them. Without it none are started.',
  }),
  stdioMaxProcesses: setting({
    env: 'SIDEGATE_STDIO_MAX_PROCESSES',
    schema: wholeNumber(1, 10_000),
    default: '16',
    meaning: 'Most processes of stdio servers that run at once. Each legacy session has one, and each user of a modern server.',
  }),
  stdioMaxLineBytes: setting({
    env: 'SIDEGATE_STDIO_MAX_LINE_BYTES',
    schema: wholeNumber(1_024, 268_435_456),
    default: '16777216',
    meaning: 'Longest message taken from a stdio server, in bytes.',
  }),
  stdioIdleMs: setting({
    env: 'SIDEGATE_STDIO_IDLE_MS',
    schema: wholeNumber(100, 604_800_000),
    default: '1800000',
    meaning:
      'Time after which a session that the sidecar keeps and nobody uses is ended, in milliseconds: the process of a stdio server, the connection to an HTTP+SSE server, the session of a bridged one.',
  }),
  drainMs: setting({
    env: 'SIDEGATE_DRAIN_MS',
    schema: wholeNumber(0, 3_600_000),
    default: '30000',
    meaning: 'Time that open calls have to finish after SIGTERM, in milliseconds.',
  }),
  otlpEndpoint,
  otlpHeaders: setting({
    env: 'OTEL_EXPORTER_OTLP_HEADERS',
    schema: optionalHeaders,
    meaning: 'Header fields for that endpoint, such as an API key: `name=value,name=value`, values percent-encoded.',
  }),
  logLevel,
} as const;

export type SidecarConfig = SettingValues<typeof sidecarSettings>;

/** @throws {SettingsError} naming each variable that is missing or malformed. */
export function readSidecarConfig(env: Environment): SidecarConfig {
  const config = readSettings(sidecarSettings, env);
  if (config.policyCaFile === undefined && config.policyCaPem === undefined) {
    throw new SettingsError('SIDEGATE_POLICY_CA_FILE or SIDEGATE_POLICY_CA_PEM is required');
  }
  return config;
}
