import type { Expr } from '@cedar-policy/cedar-wasm/nodejs';

/** An expression of Cedar's JSON policy format: one operator and what it is applied to. */
interface Applied {
  readonly operator: string;
  readonly operand: unknown;
}

export function operatorOf(expression: Expr): Applied {
  const [entry, ...others] = Object.entries(expression);
  if (entry === undefined || others.length > 0) throw new Error('a Cedar expression must have exactly one operator');
  return { operator: entry[0], operand: entry[1] };
}

/**
 * The direct parts of an expression.
 * Throws on an operator it does not know: an analysis that guesses could call a policy independent of what it reads.
 */
export function partsOf(expression: Expr): readonly Expr[] {
  const { operator, operand } = operatorOf(expression);
  switch (operator) {
    case 'Value':
    case 'Var':
      return [];
    case '!':
    case 'neg':
    case 'isEmpty':
      return [(operand as { arg: Expr }).arg];
    case '.':
    case 'has':
    case 'like':
      return [(operand as { left: Expr }).left];
    case 'is': {
      const { left, in: ancestor } = operand as { left: Expr; in?: Expr };
      return ancestor === undefined ? [left] : [left, ancestor];
    }
    case 'if-then-else': {
      const branch = operand as { if: Expr; then: Expr; else: Expr };
      return [branch.if, branch.then, branch.else];
    }
    case 'Set':
      return operand as Expr[];
    case 'Record':
      return Object.values(operand as Record<string, Expr>);
    default:
      // Extension functions take a list, binary operators a left and a right side.
      if (Array.isArray(operand)) return operand as Expr[];
      if (BINARY.has(operator)) {
        const { left, right } = operand as { left: Expr; right: Expr };
        return [left, right];
      }
      throw new Error(`unknown Cedar operator ${operator}`);
  }
}

const BINARY: ReadonlySet<string> = new Set([
  '==',
  '!=',
  'in',
  '<',
  '<=',
  '>',
  '>=',
  '&&',
  '||',
  '+',
  '-',
  '*',
  'contains',
  'containsAll',
  'containsAny',
  'getTag',
  'hasTag',
]);
