import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';
import { tokensOf } from './cedar-text.ts';
import { partsOf } from './expression.ts';

/*
 * The wasm build of Cedar walks expressions by recursion on a stack of fixed size. Overflowing it ("memory access out of bounds")
 * leaves the whole instance unusable, so that one bad policy would stop every decision, also under the running revision. With 4.13 that
 * happens from some 115 nested brackets (parsing) and some 350 nested operators (evaluating) on, and Cedar's JSON reader gives up at
 * 128 levels, two for an operator. These limits stay well below, and are checked before Cedar sees the policy.
 */
const MAX_NESTED_BRACKETS = 40;
const MAX_NESTED_OPERATORS = 50;
/** Characters that may each add a level; one operator has up to two. Parsing bears 3,000 operators in a row. */
const MAX_OPERATOR_CHARACTERS = 2_000;

const ADVICE = 'write alternatives as a set, `[a, b, c].contains(x)`, or split the policy';

/** Why a policy's text must not be parsed, or undefined. */
export function textTooComplex(text: string): string | undefined {
  let nested = 0;
  let deepest = 0;
  let operators = 0;
  for (const { text: token } of tokensOf(text)) {
    if (/^[([{]$/.test(token)) nested += 1;
    if (/^[)\]}]$/.test(token)) nested -= 1;
    deepest = Math.max(deepest, nested);
    if (/^(?:[.&|+*!<>=[{-]|if|when|unless)$/.test(token)) operators += 1;
  }
  if (deepest > MAX_NESTED_BRACKETS) return `brackets are nested more than ${MAX_NESTED_BRACKETS} deep`;
  if (operators > MAX_OPERATOR_CHARACTERS) return `the policy is too long to be evaluated safely; ${ADVICE}`;
  return undefined;
}

/** Why a parsed policy must not be evaluated, or undefined. */
export function policyTooComplex({ conditions }: PolicyJson): string | undefined {
  // Cedar joins the conditions of a policy by `&&`, which nests them too.
  const open = conditions.map(({ body }) => ({ expression: body, depth: conditions.length }));
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (next.depth > MAX_NESTED_OPERATORS) return `operators are nested more than ${MAX_NESTED_OPERATORS} deep; ${ADVICE}`;
    for (const expression of partsOf(next.expression)) open.push({ expression, depth: next.depth + 1 });
  }
  return undefined;
}
