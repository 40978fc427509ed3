import type { Pod } from './pod.ts';

/** A label or annotation that Sidegate reads or writes: its only definition. docs/injection.md shows this table. */
export interface Mark {
  readonly key: string;
  readonly kind: 'label' | 'annotation';
  readonly on: string;
  readonly values: string;
  readonly default: string;
  readonly meaning: string;
}

export const MARKS = {
  inject: {
    key: 'sidegate.dev/inject',
    kind: 'label',
    on: 'namespace, pod',
    values: '`enabled`, `disabled`',
    default: 'not injected',
    meaning: 'Puts a pod, or every new pod of a namespace, under governance. The pod’s own label wins over its namespace’s.',
  },
  servers: {
    key: 'sidegate.dev/servers',
    kind: 'annotation',
    on: 'pod',
    values: 'server names, separated by commas',
    default: 'none',
    meaning: 'For each named server, every container gets a variable with its URL: `tickets` becomes `TICKETS_MCP_URL`.',
  },
  status: {
    key: 'sidegate.dev/status',
    kind: 'annotation',
    on: 'pod',
    values: 'JSON',
    default: 'written by the injector',
    meaning:
      'What the injector did: version, containers and volumes added, or that the pod opted out. Never read: forging it changes nothing.',
  },
} as const satisfies Record<string, Mark>;

/** Same as the policy bundle's registry: 1 to 63 of a-z, 0-9 and `-`. */
const SERVER_NAME = /^[a-z0-9-]{1,63}$/;

export function marksTable(): string {
  const rows = Object.values(MARKS).map(
    ({ key, kind, on, values, default: fallback, meaning }) => `| \`${key}\` | ${kind} on ${on} | ${values} | ${fallback} | ${meaning} |`,
  );
  return ['| key | where | values | default | meaning |', '|---|---|---|---|---|', ...rows].join('\n');
}

export type Wish = { readonly kind: 'inject' } | { readonly kind: 'opt-out' } | { readonly kind: 'unclear'; readonly value: string };

/**
 * What the pod's own label asks for. No label means injection, because only pods that a namespace or a person chose get this far.
 * A value that is neither of the two is not guessed at.
 */
export function wishOf(pod: Pod): Wish {
  const value = pod.metadata?.labels?.[MARKS.inject.key];
  if (value === undefined || value === 'enabled') return { kind: 'inject' };
  return value === 'disabled' ? { kind: 'opt-out' } : { kind: 'unclear', value };
}

/** More are refused: each becomes a variable in every container. */
export const MAX_SERVERS = 100;

/** The server names the pod asks variables for, without repeats, and those that no server can have. */
export function serversOf(pod: Pod): { readonly names: readonly string[]; readonly malformed: readonly string[] } {
  const text = pod.metadata?.annotations?.[MARKS.servers.key] ?? '';
  const all = [...new Set(text.split(',').map((name) => name.trim()))].filter((name) => name !== '');
  return { names: all.filter((name) => SERVER_NAME.test(name)), malformed: all.filter((name) => !SERVER_NAME.test(name)) };
}
