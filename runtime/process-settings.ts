import { setting } from './env.ts';
import { oneOf, optionalUrl } from './setting-types.ts';

/** Settings that mean the same in every process that has them. */
export const otlpEndpoint = setting({
  env: 'OTEL_EXPORTER_OTLP_ENDPOINT',
  schema: optionalUrl,
  meaning: 'OTLP/HTTP endpoint for traces. Without it no trace leaves the process.',
});

export const logLevel = setting({
  env: 'SIDEGATE_LOG_LEVEL',
  schema: oneOf(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']),
  default: 'info',
  meaning: 'Least severe log line written.',
});
