import type { Expr } from '@cedar-policy/cedar-wasm/nodejs';
import { operatorOf, partsOf } from './expression.ts';

/** Which parts of the context an expression, or a set of policies, may look at. */
export interface Reads {
  readonly input: boolean;
  readonly now: boolean;
  readonly agent: boolean;
}

export const NO_READS: Reads = { input: false, now: false, agent: false };
const ALL_READS: Reads = { input: true, now: true, agent: true };

export function mergeReads(a: Reads, b: Reads): Reads {
  return { input: a.input || b.input, now: a.now || b.now, agent: a.agent || b.agent };
}

/** `context` used in any other way than `context.<name>` or `context has <name>` counts as reading all of it. */
export function readsOf(expression: Expr): Reads {
  const attribute = contextAttribute(expression);
  if (attribute !== undefined) {
    // A name that is none of these three cannot pass validation; were one to, it must not look harmless.
    return Object.hasOwn(NO_READS, attribute) ? { ...NO_READS, [attribute]: true } : ALL_READS;
  }
  if (isContext(expression)) return ALL_READS;
  return partsOf(expression).map(readsOf).reduce(mergeReads, NO_READS);
}

/** The name in `context.<name>` and `context has <name>`; undefined for every other expression. */
function contextAttribute(expression: Expr): string | undefined {
  const { operator, operand } = operatorOf(expression);
  if (operator !== '.' && operator !== 'has') return undefined;
  const { left, attr } = operand as { left: Expr; attr: string | readonly string[] };
  if (!isContext(left)) return undefined;
  return typeof attr === 'string' ? attr : attr[0];
}

function isContext(expression: Expr): boolean {
  const { operator, operand } = operatorOf(expression);
  return operator === 'Var' && operand === 'context';
}
