import type { SidecarTemplate } from '../../injector/sidecar-container.ts';

export const TEST_VERSION = '1.2.3';

/** A sidecar with every optional setting, as the golden files have it. The certificate is none; nothing here reads it. */
export const TEST_TEMPLATE: SidecarTemplate = {
  image: 'registry.example.com/sidegate:1.2.3',
  policyAddress: 'sidegate-extauthz.sidegate-system.svc:9410',
  policyCaPem: '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n',
  policyServerName: undefined,
  audience: 'sidegate-policy',
  otlpEndpoint: 'http://collector.observability.svc:4318',
  logLevel: 'info',
};
