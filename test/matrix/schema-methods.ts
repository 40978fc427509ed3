import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { runInNewContext } from 'node:vm';
import * as v2 from '@modelcontextprotocol/core';
import * as v1 from '@modelcontextprotocol/sdk/types.js';

export type Sender = 'client' | 'server';
export type MessageKind = 'request' | 'notification';

/** A method that a schema defines, in the direction in which the schema has it sent. */
export interface SchemaMethod {
  readonly sender: Sender;
  readonly kind: MessageKind;
  readonly method: string;
}

/** What one schema defines. */
export interface SchemaMethods {
  readonly sent: readonly SchemaMethod[];
  /** Every method that is named anywhere in it, also inside a result. */
  readonly named: readonly string[];
}

const UNIONS = [
  ['ClientRequest', 'client', 'request'],
  ['ClientNotification', 'client', 'notification'],
  ['ServerRequest', 'server', 'request'],
  ['ServerNotification', 'server', 'notification'],
] as const;

interface Definition {
  readonly anyOf?: readonly { readonly $ref: string }[];
  readonly $ref?: string;
  readonly properties?: { readonly method?: { readonly const?: string } };
}

/** A JSON schema of the specification: 2025-11-25 and later call the definitions `$defs`. */
export type JsonSchema = Readonly<Partial<Record<'$defs' | 'definitions', Readonly<Record<string, Definition>>>>>;

/**
 * The specification's own JSON schemas, by revision, from 2025-03-26 on. The official conformance suite checks messages against them and carries them in
 * its one file, but does not export them: they are found there by the map that names them.
 * @throws {Error} when they are not there, or are written in another way
 */
export function specificationSchemas(): ReadonlyMap<string, JsonSchema> {
  const packageFile = createRequire(import.meta.url).resolve('@modelcontextprotocol/conformance/package.json');
  const bundle = readFileSync(join(dirname(packageFile), 'dist/index.js'), 'utf8');
  const map = /\{"2025-03-26":(\w+),"2025-06-18":(\w+),"2025-11-25":(\w+),\[\w+\]:(\w+)\}/.exec(bundle);
  if (map === null) throw new Error('the conformance suite holds its schemas in another way than this test knows');
  return new Map(
    ['2025-03-26', '2025-06-18', '2025-11-25', '2026-07-28'].map((revision, index) => [revision, literal(bundle, map[index + 1] ?? '')]),
  );
}

/** The object that a variable of the bundle is set to: nothing but literals, so that it can be evaluated by itself. */
function literal(bundle: string, variable: string): JsonSchema {
  const start = bundle.indexOf(`${variable}={$schema:`) + variable.length + 1;
  let depth = 0;
  let quote = '';
  for (let at = start; at < bundle.length; at += 1) {
    const character = bundle[at] ?? '';
    if (quote !== '') {
      if (character === '\\') at += 1;
      else if (character === quote) quote = '';
    } else if ('`"\''.includes(character)) quote = character;
    else if (character === '{') depth += 1;
    else if (character === '}') depth -= 1;
    if (depth === 0) return runInNewContext(`(${bundle.slice(start, at + 1)})`, {}) as JsonSchema;
  }
  throw new Error(`no schema in the variable ${variable}`);
}

export function methodsOfJsonSchema(schema: JsonSchema): SchemaMethods {
  const definitions = schema.$defs ?? schema.definitions ?? {};
  const methodOf = (name: string) => definitions[name]?.properties?.method?.const;
  const sent = UNIONS.flatMap(([union, sender, kind]) => {
    const { anyOf = [], $ref } = definitions[union] ?? {};
    return [...anyOf, ...($ref === undefined ? [] : [{ $ref }])].map((member) => {
      const method = methodOf(member.$ref.slice(member.$ref.lastIndexOf('/') + 1));
      if (method === undefined) throw new Error(`${member.$ref} has no method`);
      return { sender, kind, method };
    });
  });
  return { sent, named: Object.keys(definitions).flatMap((name) => methodOf(name) ?? []) };
}

interface ZodLike {
  readonly options?: readonly ZodLike[];
  readonly shape?: { readonly method?: { readonly value?: unknown } };
}

/** What an SDK's zod schemas define, all its revisions together. */
function methodsOfSdk(schemas: Readonly<Record<string, unknown>>): SchemaMethods {
  const methodOf = (schema: unknown) => {
    const method = (schema as ZodLike | undefined)?.shape?.method?.value;
    return typeof method === 'string' ? method : undefined;
  };
  const sent = UNIONS.flatMap(([union, sender, kind]) =>
    ((schemas[`${union}Schema`] as ZodLike | undefined)?.options ?? []).map((member) => {
      const method = methodOf(member);
      if (method === undefined) throw new Error(`a member of ${union}Schema has no method`);
      return { sender, kind, method };
    }),
  );
  return { sent, named: Object.values(schemas).flatMap((schema) => methodOf(schema) ?? []) };
}

/** The official SDKs, by the name of their package. */
export const SDK_METHODS: ReadonlyMap<string, SchemaMethods> = new Map([
  ['@modelcontextprotocol/sdk', methodsOfSdk(v1)],
  ['@modelcontextprotocol/core', methodsOfSdk(v2)],
]);
