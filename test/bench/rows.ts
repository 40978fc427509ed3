import { bareGateway, noGateway } from './gateways/bare.ts';
import type { Gateway, GatewayContext } from './gateways/gateway.ts';
import { HAPROXY, missing, NGINX, peerGateway } from './gateways/peers.ts';
import { startSidecar } from './gateways/sidecar.ts';
import type { PolicyService } from './mesh/policy-service.ts';
import type { CallKind } from './messages.ts';

/** What a row's gateway may need beside its upstream. */
export interface RowContext extends GatewayContext {
  readonly sidegate: readonly [string, ...string[]];
  readonly policyService: PolicyService;
  readonly tracesPort: number;
}

/** One line of the table: a gateway and what is asked through it. */
export interface Row {
  readonly label: string;
  readonly kind: CallKind;
  /** Undefined when the row can run here; else why it cannot. */
  readonly missing?: () => string | undefined;
  start(context: RowContext): Promise<Gateway>;
}

const undici = bareGateway('undici-dispatch');
const governed = (context: RowContext): Promise<Gateway> => startSidecar(context, context);
const governedWithoutExport = (context: RowContext): Promise<Gateway> => startSidecar({ ...context, tracesPort: undefined }, context);

/** In the order of the table. Keys are the names in the JSON document. */
export const ROWS = {
  direct: { label: 'direct, no gateway', kind: 'call', start: noGateway },
  nginx: { label: 'nginx proxy_pass', kind: 'call', missing: () => missing(NGINX), start: peerGateway(NGINX) },
  haproxy: { label: 'haproxy', kind: 'call', missing: () => missing(HAPROXY), start: peerGateway(HAPROXY) },
  undici: { label: 'undici dispatch, bare', kind: 'call', start: undici },
  httpProxy3: { label: 'http-proxy-3, bare', kind: 'call', start: bareGateway('http-proxy-3') },
  governed: { label: 'governed, cached decision', kind: 'call', start: governed },
  governedModern: { label: 'same, revision 2026-07-28', kind: 'modern', start: governed },
  governedWithoutExport: { label: 'same, no OTLP endpoint', kind: 'call', start: governedWithoutExport },
  governedUncached: { label: 'governed, decided per call', kind: 'checked', start: governed },
  undiciList: { label: 'tools/list of 200, undici bare', kind: 'list', start: undici },
  governedLarge: { label: 'as many bytes, governed call', kind: 'large', start: governed },
  governedList: { label: 'tools/list of 200, filtered', kind: 'filtered', start: governed },
} as const satisfies Record<string, Row>;

export type RowName = keyof typeof ROWS;
export const ROW_NAMES = Object.keys(ROWS) as RowName[];
