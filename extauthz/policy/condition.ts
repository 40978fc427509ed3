import type { CedarValueJson, Clause, Expr } from '@cedar-policy/cedar-wasm/nodejs';
import {
  type CedarValue,
  DatetimeValue,
  DecimalValue,
  EntityValue,
  equal,
  extensionValue,
  fromJson,
  includesAll,
  RecordValue,
  SetValue,
  Unsure,
  unsure,
} from './cedar-value.ts';
import type { Environment } from './environment.ts';
import { operatorOf } from './expression.ts';

/** Whether a policy's conditions hold. @throws {Unsure} when only Cedar can tell, which includes every error. */
export type Condition = (environment: Environment) => boolean;

type Evaluation = (environment: Environment) => CedarValue;

/** Compiles the conditions of a policy; undefined when they use something that only Cedar evaluates. */
export function compileConditions(clauses: readonly Clause[]): Condition | undefined {
  try {
    const compiled = clauses.map(({ kind, body }) => ({ holds: kind === 'when', evaluate: compile(body) }));
    // In order, and no further than the first that does not hold, as Cedar does: what is not evaluated cannot err.
    return (environment) => compiled.every(({ holds, evaluate }) => asBoolean(evaluate(environment)) === holds);
  } catch (error) {
    if (error instanceof Unsure) return undefined;
    throw error;
  }
}

function compile(expression: Expr): Evaluation {
  const { operator, operand } = operatorOf(expression);
  switch (operator) {
    case 'Value': {
      const value = fromJson(operand as CedarValueJson);
      return () => value;
    }
    case 'Var':
      return variable(operand);
    case '.': {
      const { left, attr } = operand as { left: Expr; attr: string };
      const of = compile(left);
      return (environment) => environment.attributeOf(of(environment), attr) ?? unsure();
    }
    case 'has': {
      const { left, attr } = operand as { left: Expr; attr: string | readonly string[] };
      return has(compile(left), typeof attr === 'string' ? [attr] : attr);
    }
    case 'like': {
      const { left, pattern } = operand as { left: Expr; pattern: readonly ('Wildcard' | { readonly Literal: string })[] };
      const text = compile(left);
      const matches = like(pattern);
      return (environment) => matches(asString(text(environment)));
    }
    case 'is': {
      const { left, entity_type: type, in: ancestor } = operand as { left: Expr; entity_type: string; in?: Expr };
      const entity = compile(left);
      const ancestors = ancestor === undefined ? undefined : compile(ancestor);
      return (environment) => {
        const value = asEntity(entity(environment));
        return value.type === type && (ancestors === undefined || isIn(environment, value, ancestors(environment)));
      };
    }
    case 'if-then-else': {
      const branch = operand as { if: Expr; then: Expr; else: Expr };
      const [test, yes, no] = [compile(branch.if), compile(branch.then), compile(branch.else)];
      return (environment) => (asBoolean(test(environment)) ? yes(environment) : no(environment));
    }
    case 'Set': {
      const elements = (operand as readonly Expr[]).map(compile);
      return (environment) => new SetValue(elements.map((element) => element(environment)));
    }
    case 'Record': {
      const attributes = Object.entries(operand as Readonly<Record<string, Expr>>).map(([name, value]) => [name, compile(value)] as const);
      return (environment) => new RecordValue(new Map(attributes.map(([name, value]) => [name, value(environment)])));
    }
    case '!': {
      const value = compile((operand as { arg: Expr }).arg);
      return (environment) => !asBoolean(value(environment));
    }
    case 'neg': {
      const value = compile((operand as { arg: Expr }).arg);
      return (environment) => exact(-asLong(value(environment)));
    }
    case 'isEmpty': {
      const value = compile((operand as { arg: Expr }).arg);
      return (environment) => asSet(value(environment)).elements.length === 0;
    }
    default:
      return Array.isArray(operand) ? extension(operator, operand as readonly Expr[]) : binary(operator, operand);
  }
}

function variable(name: unknown): Evaluation {
  switch (name) {
    case 'principal':
    case 'action':
    case 'resource':
    case 'context':
      return (environment) => environment[name];
    default:
      return unsure();
  }
}

function has(of: Evaluation, path: readonly string[]): Evaluation {
  return (environment) => {
    let value: CedarValue | undefined = of(environment);
    for (const name of path) {
      value = environment.attributeOf(value, name);
      if (value === undefined) return false;
    }
    return true;
  };
}

function binary(operator: string, operand: unknown): Evaluation {
  const sides = operand as { left?: Expr; right?: Expr };
  if (sides.left === undefined || sides.right === undefined) return unsure();
  const [left, right] = [compile(sides.left), compile(sides.right)];
  switch (operator) {
    case '&&':
      return (environment) => asBoolean(left(environment)) && asBoolean(right(environment));
    case '||':
      return (environment) => asBoolean(left(environment)) || asBoolean(right(environment));
    case '==':
      return (environment) => equal(left(environment), right(environment));
    case '!=':
      return (environment) => !equal(left(environment), right(environment));
    case 'in':
      return (environment) => isIn(environment, asEntity(left(environment)), right(environment));
    case '<':
      return (environment) => compare(left(environment), right(environment)) < 0;
    case '<=':
      return (environment) => compare(left(environment), right(environment)) <= 0;
    case '>':
      return (environment) => compare(left(environment), right(environment)) > 0;
    case '>=':
      return (environment) => compare(left(environment), right(environment)) >= 0;
    case '+':
      return (environment) => exact(asLong(left(environment)) + asLong(right(environment)));
    case '-':
      return (environment) => exact(asLong(left(environment)) - asLong(right(environment)));
    case '*':
      return (environment) => exact(asLong(left(environment)) * asLong(right(environment)));
    case 'contains':
      return (environment) => asSet(left(environment)).contains(right(environment));
    case 'containsAll':
      return (environment) => includesAll(asSet(left(environment)), asSet(right(environment)));
    case 'containsAny':
      return (environment) => {
        const set = asSet(left(environment));
        return asSet(right(environment)).elements.some((element) => set.contains(element));
      };
    default:
      return unsure();
  }
}

function extension(name: string, operands: readonly Expr[]): Evaluation {
  const [first, second, ...others] = operands;
  if (first === undefined || others.length > 0) return unsure();
  if (second === undefined) {
    // Only of a literal: the schema gives arguments their type already.
    const { operator, operand } = operatorOf(first);
    const value = operator === 'Value' ? extensionValue(name, operand) : unsure();
    return () => value;
  }
  const [left, right] = [compile(first), compile(second)];
  switch (name) {
    case 'lessThan':
      return (environment) => asDecimal(left(environment)) < asDecimal(right(environment));
    case 'lessThanOrEqual':
      return (environment) => asDecimal(left(environment)) <= asDecimal(right(environment));
    case 'greaterThan':
      return (environment) => asDecimal(left(environment)) > asDecimal(right(environment));
    case 'greaterThanOrEqual':
      return (environment) => asDecimal(left(environment)) >= asDecimal(right(environment));
    default:
      return unsure();
  }
}

/** Linear in the text, whatever the pattern: agents choose the text. */
function like(pattern: readonly ('Wildcard' | { readonly Literal: string })[]): (text: string) => boolean {
  const pieces = [''];
  for (const element of pattern) {
    if (element === 'Wildcard') pieces.push('');
    else pieces[pieces.length - 1] += element.Literal;
  }
  const [first = '', ...rest] = pieces;
  const last = rest.pop();
  if (last === undefined) return (text) => text === first;
  const middle = rest.filter((piece) => piece !== '');
  return (text) => {
    if (!text.startsWith(first) || !text.endsWith(last)) return false;
    let at = first.length;
    for (const piece of middle) {
      const found = text.indexOf(piece, at);
      if (found === -1) return false;
      at = found + piece.length;
    }
    return at <= text.length - last.length;
  };
}

function isIn(environment: Environment, entity: EntityValue, ancestors: CedarValue): boolean {
  if (!(ancestors instanceof SetValue)) return environment.isIn(entity, asEntity(ancestors));
  // Each must be an entity, also those behind the one that matches.
  return ancestors.elements.map(asEntity).some((ancestor) => environment.isIn(entity, ancestor));
}

function compare(left: CedarValue, right: CedarValue): number {
  if (left instanceof DatetimeValue && right instanceof DatetimeValue) return left.unixMs - right.unixMs;
  return asLong(left) - asLong(right);
}

/** Cedar counts up to 2^63 and errs beyond that; here it ends sooner. Adding zero makes -0 plain. */
function exact(long: number): number {
  return Number.isSafeInteger(long) ? long + 0 : unsure();
}

function asBoolean(value: CedarValue): boolean {
  return typeof value === 'boolean' ? value : unsure();
}

function asString(value: CedarValue): string {
  return typeof value === 'string' ? value : unsure();
}

function asLong(value: CedarValue): number {
  return typeof value === 'number' ? value : unsure();
}

function asEntity(value: CedarValue): EntityValue {
  return value instanceof EntityValue ? value : unsure();
}

function asSet(value: CedarValue): SetValue {
  return value instanceof SetValue ? value : unsure();
}

function asDecimal(value: CedarValue): bigint {
  return value instanceof DecimalValue ? value.tenThousandths : unsure();
}
