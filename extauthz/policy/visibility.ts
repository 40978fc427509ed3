import type { Clause, Expr, PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';
import { operatorOf } from './expression.ts';
import { readsOf } from './reads.ts';

/*
 * A list shows what some call could be allowed, and the arguments of that call are not known yet. So every part of a condition that
 * reads them is replaced by the value that favours showing: a permit is widened, a forbid is narrowed.
 *
 *   over(e)  false  =>  e is false or an error, whatever the arguments
 *   under(e) true   =>  e is true or an error, whatever the arguments
 *
 * Since an error denies, a false `over` in a permit and a true `under` in a forbid both mean: no call can be allowed by (or despite) it.
 */

/** The policy with everything that depends on arguments decided in favour of showing. */
export function withoutArguments(policy: PolicyJson): PolicyJson {
  const widen = policy.effect === 'permit';
  const { effect, principal, action, resource, conditions } = policy;
  return { effect, principal, action, resource, conditions: conditions.map((clause) => decided(clause, widen)) };
}

function decided({ kind, body }: Clause, widen: boolean): Clause {
  // `unless` negates, so that its body leans the other way.
  return { kind, body: approximate(body, kind === 'when' ? widen : !widen) };
}

/** `over` when `widen` is true, else `under`. */
function approximate(expression: Expr, widen: boolean): Expr {
  if (!readsOf(expression).input) return expression;
  const { operator, operand } = operatorOf(expression);
  switch (operator) {
    case '&&':
    case '||': {
      const { left, right } = operand as { left: Expr; right: Expr };
      return both(operator, approximate(left, widen), approximate(right, widen));
    }
    case '!':
      return { '!': { arg: approximate((operand as { arg: Expr }).arg, !widen) } };
    case 'if-then-else': {
      const branch = operand as { if: Expr; then: Expr; else: Expr };
      const [yes, no] = [approximate(branch.then, widen), approximate(branch.else, widen)];
      // Which branch is taken is not known when the test reads arguments: either may be (over), or both must hold (under).
      if (readsOf(branch.if).input) return both(widen ? '||' : '&&', yes, no);
      // biome-ignore lint/suspicious/noThenProperty: the name is Cedar's
      return { 'if-then-else': { if: branch.if, then: yes, else: no } };
    }
    default:
      return { Value: widen };
  }
}

function both(operator: '&&' | '||', left: Expr, right: Expr): Expr {
  return operator === '&&' ? { '&&': { left, right } } : { '||': { left, right } };
}
