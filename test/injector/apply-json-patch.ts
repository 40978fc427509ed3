import assert from 'node:assert/strict';
import type { PatchOperation } from '../../injector/json-patch.ts';

type Node = Record<string, unknown> | unknown[];

/** Applies a JSON Patch (RFC 6902) to a copy of a value. Written from the RFC, independently of the code that makes patches. */
export function applyJsonPatch(value: unknown, operations: readonly PatchOperation[]): unknown {
  const root = { document: structuredClone(value) };
  for (const operation of operations) {
    const tokens = ['document', ...operation.path.split('/').slice(1).map(unescapeToken)];
    const last = tokens.pop() ?? '';
    const parent = tokens.reduce<unknown>((node, token) => child(node as Node, token), root) as Node;
    if (Array.isArray(parent)) {
      assert.match(last, /^(?:0|[1-9]\d*)$/, `${operation.path}: not an index`);
      const index = Number(last);
      assert.ok(index < parent.length + (operation.op === 'add' ? 1 : 0), `${operation.path}: no such item`);
      if (operation.op === 'add') parent.splice(index, 0, structuredClone(operation.value));
      else if (operation.op === 'remove') parent.splice(index, 1);
      else parent[index] = structuredClone(operation.value);
    } else {
      assert.ok(operation.op === 'add' || Object.hasOwn(parent, last), `${operation.path}: no such member`);
      if (operation.op === 'remove') delete parent[last];
      else
        Object.defineProperty(parent, last, {
          value: structuredClone(operation.value),
          enumerable: true,
          writable: true,
          configurable: true,
        });
    }
  }
  return root.document;
}

function child(node: Node, token: string): unknown {
  assert.ok(Object.hasOwn(node, token), `${token}: no such parent`);
  return (node as Record<string, unknown>)[token];
}

/** RFC 6901 section 4: `~1` first. */
function unescapeToken(token: string): string {
  return token.replaceAll('~1', '/').replaceAll('~0', '~');
}
