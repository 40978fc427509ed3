import { bareGateway, noGateway } from './gateways/bare.ts';
import type { Gateway, GatewayContext } from './gateways/gateway.ts';
import { HAPROXY, missing, NGINX, peerGateway } from './gateways/peers.ts';
import { startSidecar } from './gateways/sidecar.ts';
import type { PolicyService } from './mesh/policy-service.ts';
import type { CallKind } from './messages.ts';

/** What a gateway may need beside its upstream. */
export interface StartContext extends GatewayContext {
  readonly sidegate: readonly [string, ...string[]];
  readonly policyService: PolicyService;
  readonly tracesPort: number;
}

/** Something to measure calls through. One process of it serves all its rows, in their order below. */
export interface Subject {
  /** Undefined when it can run here; else why it cannot. */
  readonly missing?: () => string | undefined;
  start(context: StartContext): Promise<Gateway>;
}

export const SUBJECTS = {
  direct: { start: noGateway },
  nginx: { missing: () => missing(NGINX), start: peerGateway(NGINX) },
  haproxy: { missing: () => missing(HAPROXY), start: peerGateway(HAPROXY) },
  undici: { start: bareGateway('undici-dispatch') },
  httpProxy3: { start: bareGateway('http-proxy-3') },
  sidecar: { start: (context) => startSidecar(context, context) },
  sidecarWithoutExport: { start: (context) => startSidecar({ ...context, tracesPort: undefined }, context) },
} as const satisfies Record<string, Subject>;

export type SubjectName = keyof typeof SUBJECTS;

/** One line of the table: a subject and what is asked through it. */
export interface Row {
  readonly label: string;
  readonly subject: SubjectName;
  readonly kind: CallKind;
}

/** In the order of the table. Keys are the names in the JSON document. */
export const ROWS = {
  direct: { label: 'direct, no gateway', subject: 'direct', kind: 'call' },
  nginx: { label: 'nginx proxy_pass', subject: 'nginx', kind: 'call' },
  haproxy: { label: 'haproxy', subject: 'haproxy', kind: 'call' },
  undici: { label: 'undici dispatch, bare', subject: 'undici', kind: 'call' },
  httpProxy3: { label: 'http-proxy-3, bare', subject: 'httpProxy3', kind: 'call' },
  governed: { label: 'governed, cached decision', subject: 'sidecar', kind: 'call' },
  governedModern: { label: 'same, revision 2026-07-28', subject: 'sidecar', kind: 'modern' },
  governedWithoutExport: { label: 'same, no OTLP endpoint', subject: 'sidecarWithoutExport', kind: 'call' },
  governedUncached: { label: 'governed, decided per call', subject: 'sidecar', kind: 'checked' },
  undiciList: { label: 'tools/list of 200, undici bare', subject: 'undici', kind: 'list' },
  governedLarge: { label: 'as many bytes, governed call', subject: 'sidecar', kind: 'large' },
  governedList: { label: 'tools/list of 200, filtered', subject: 'sidecar', kind: 'filtered' },
} as const satisfies Record<string, Row>;

export type RowName = keyof typeof ROWS;
export const ROW_NAMES = Object.keys(ROWS) as RowName[];
export const SUBJECT_NAMES = Object.keys(SUBJECTS) as SubjectName[];

export function rowsOf(subject: SubjectName): RowName[] {
  return ROW_NAMES.filter((name) => ROWS[name].subject === subject);
}
