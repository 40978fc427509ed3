import { type SettingValues, setting } from '../runtime/env.ts';
import { address, oneOf, optionalText, optionalUrl, text, wholeNumber } from '../runtime/setting-types.ts';
import { sidecarSettings } from '../sidecar/config.ts';

/** What the injector writes into every pod; `sidegate injector inject` needs only these. */
export const sidecarTemplateSettings = {
  image: setting({
    env: 'SIDEGATE_SIDECAR_IMAGE',
    schema: text,
    meaning: 'The sidecar’s container image. Name it by version or digest, so that pods made at different times run the same.',
  }),
  policyAddress: setting({
    env: sidecarSettings.policyAddress.env,
    schema: address,
    meaning: 'The policy service’s gRPC address, as sidecars reach it.',
  }),
  policyCaFile: setting({
    env: sidecarSettings.policyCaFile.env,
    schema: text,
    meaning:
      'PEM file of the certificate authority that signed the policy service’s certificate. Its certificates go into pods; no namespace needs a copy.',
  }),
  policyServerName: setting({
    env: sidecarSettings.policyServerName.env,
    schema: optionalText,
    meaning: 'The name that sidecars expect in the policy service’s certificate, when it differs from the address.',
  }),
  workloadAudience: setting({
    env: 'SIDEGATE_WORKLOAD_AUDIENCE',
    schema: text,
    default: 'sidegate-policy',
    meaning: 'Audience of the service-account token that sidecars prove themselves with. The policy service must have the same.',
  }),
  sidecarOtlpEndpoint: setting({
    env: 'SIDEGATE_SIDECAR_OTLP_ENDPOINT',
    schema: optionalUrl,
    meaning: 'OTLP/HTTP endpoint that sidecars send traces to.',
  }),
  sidecarLogLevel: setting({
    env: 'SIDEGATE_SIDECAR_LOG_LEVEL',
    schema: sidecarSettings.logLevel.schema,
    default: sidecarSettings.logLevel.default ?? 'info',
    meaning: 'Least severe log line that sidecars write.',
  }),
} as const;

/** The injector's settings. */
export const injectorSettings = {
  listen: setting({
    env: 'SIDEGATE_INJECTOR_LISTEN',
    schema: address,
    default: ':9443',
    meaning: 'Where the API server calls the webhook: HTTPS, path `/inject`.',
  }),
  adminListen: setting({
    env: 'SIDEGATE_INJECTOR_ADMIN_LISTEN',
    schema: address,
    default: ':9441',
    meaning: 'Where `/healthz`, `/readyz` and `/metrics` are served.',
  }),
  tlsCertFile: setting({
    env: 'SIDEGATE_TLS_CERT_FILE',
    schema: text,
    meaning: 'PEM file with the webhook’s certificate, followed by its intermediates. Read again when it is replaced.',
  }),
  tlsKeyFile: setting({
    env: 'SIDEGATE_TLS_KEY_FILE',
    schema: text,
    meaning: 'PEM file with the certificate’s private key. Read again when it is replaced.',
  }),
  ...sidecarTemplateSettings,
  drainMs: setting({
    env: 'SIDEGATE_DRAIN_MS',
    schema: wholeNumber(0, 600_000),
    default: '10000',
    meaning: 'Time after SIGTERM that the webhook goes on answering, so that the API server can notice, in milliseconds.',
  }),
  logLevel: setting({
    env: 'SIDEGATE_LOG_LEVEL',
    schema: oneOf(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']),
    default: 'info',
    meaning: 'Least severe log line that the injector writes.',
  }),
} as const;

export type SidecarTemplateConfig = SettingValues<typeof sidecarTemplateSettings>;
export type InjectorConfig = SettingValues<typeof injectorSettings>;
