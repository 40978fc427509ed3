import { z } from 'zod';
import { fail, ok, type Result } from '../api/result.ts';
import { isCommandName, type StdioCommand, variableFault } from '../api/stdio-command.ts';
import type { BundleFiles } from './bundle-files.ts';
import { type BundleProblem, problem } from './problem.ts';
import { readCatalogue, type ToolCatalogue } from './tool-catalogue.ts';
import { readYaml, type YamlFile } from './yaml-file.ts';

/** How a call to a server gets its credential. */
export type CredentialSource =
  | { readonly strategy: 'none' }
  /** The agent has one of its own, from the server's own OAuth flow. */
  | { readonly strategy: 'agent' }
  | {
      readonly strategy: 'file';
      /** Below the secrets directory; `{user}` stands for the user's id, safely encoded. */
      readonly path: string;
      /** Lower-case name of the header that carries the credential. */
      readonly header: string;
      /** The header's value; `{secret}` stands for the file's content. */
      readonly format: string;
    };

/** Whether sidecars translate between the server and agents of the other era. */
interface Bridged {
  /** The only era that the server speaks: `legacy` to 2025-11-25, `modern` from 2026-07-28. Undefined: messages go to it as they are. */
  readonly bridgeTo?: 'legacy' | 'modern';
}

/** An upstream MCP server of the registry. */
export type ServerEntry = HttpServerEntry | StdioServerEntry;

/**
 * What becomes of a server's `instructions`, a text that may name what a user must not see.
 *
 * - `judge` (the default): withheld from a user from whom something is hidden that they name
 * - `pass`: shown to everybody
 * - `drop`: shown to nobody
 */
const INSTRUCTIONS_RULES = ['judge', 'pass', 'drop'] as const;

interface CommonEntry extends Bridged {
  readonly name: string;
  readonly instructions?: (typeof INSTRUCTIONS_RULES)[number] | undefined;
  /** Names of the tools in its catalogue; undefined without one. */
  readonly declaredTools?: readonly string[];
}

export interface HttpServerEntry extends CommonEntry {
  readonly url: string;
  /** `http+sse`: the deprecated transport of 2024-11-05. */
  readonly transport: 'streamable-http' | 'http+sse';
  readonly credential: CredentialSource;
}

/** A server that each sidecar runs as its own process, if its operator lets it. */
export interface StdioServerEntry extends CommonEntry, StdioCommand {
  readonly transport: 'stdio';
  readonly credential: CredentialSource & { readonly strategy: 'none' };
}

/** A server with the tools it is known to have; undefined when the bundle holds no catalogue for it. */
export interface RegisteredServer {
  readonly entry: ServerEntry;
  readonly catalogue: ToolCatalogue | undefined;
}

export type Registry = ReadonlyMap<string, RegisteredServer>;

/** Headers that carry the message itself: a credential in one of them would break or redirect it. */
const UNUSABLE_HEADERS: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'content-type',
  'expect',
  'host',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

const url = z.string().superRefine((text, context) => {
  const refuse = (message: string): void => void context.addIssue({ code: 'custom', message });
  // The bundle is named by its content, so what it says must not depend on where it is loaded.
  if (text.includes('${')) return refuse('environment variables are not replaced in a bundle; write the URL itself');
  const parsed = URL.parse(text);
  if (parsed === null || (parsed.protocol !== 'http:' && parsed.protocol !== 'https:')) return refuse('must be an http or https URL');
  if (parsed.username !== '' || parsed.password !== '') refuse('must not hold a user name or password; use credential');
  if (parsed.hash !== '') refuse('must not have a fragment');
});

const credential = z.discriminatedUnion('strategy', [
  z.strictObject({ strategy: z.literal('none') }),
  z.strictObject({ strategy: z.literal('agent') }),
  z.strictObject({
    strategy: z.literal('file'),
    path: z
      .string()
      .min(1)
      .refine((path) => placeholders(path).every((name) => name === '{user}'), 'the only placeholder is {user}')
      .refine(
        (path) => !path.includes('\\') && path.split('/').every((part) => part !== '' && part !== '.' && part !== '..'),
        'must be a relative path without empty, `.` or `..` parts',
      ),
    header: z
      .string()
      .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, 'must be a header name')
      .toLowerCase()
      .refine((name) => !UNUSABLE_HEADERS.has(name) && !name.startsWith('mcp-'), 'this header cannot carry a credential'),
    format: z
      .string()
      .regex(/^[\t\x20-\x7e]*$/, 'must be printable ASCII')
      .refine((text) => placeholders(text).join() === '{secret}', 'must contain {secret} once, and no other placeholder')
      .default('{secret}'),
  }),
]);

const identity = {
  name: z.string().regex(/^[a-z0-9-]{1,63}$/, 'must be 1 to 63 of a-z, 0-9 and -'),
  tools: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*\.json$/, 'must name a .json file that lies next to this one')
    .optional(),
  instructions: z.enum(INSTRUCTIONS_RULES).optional(),
  bridge_to: z.enum(['legacy', 'modern']).optional(),
};

/** What the operating system takes: texts that end at the first NUL. */
const processText = z.string().refine((text) => !text.includes('\0'), 'must not hold a NUL character');

const environment = z
  .record(z.string(), processText)
  .superRefine((variables, context) => {
    for (const name of Object.keys(variables)) {
      const fault = variableFault(name);
      if (fault !== undefined) context.addIssue({ code: 'custom', path: [name], message: fault });
    }
  })
  .transform((variables) => Object.entries(variables).map(([name, value]) => ({ name, value })));

const serverSchema = z.discriminatedUnion(
  'transport',
  [
    z.strictObject({
      ...identity,
      url,
      transport: z.enum(['streamable-http', 'http+sse']).default('streamable-http'),
      credential: credential.default({ strategy: 'none' }),
    }),
    z.strictObject({
      ...identity,
      transport: z.literal('stdio'),
      command: z.string().refine(isCommandName, 'must be the name of a program, or its absolute path'),
      args: z.array(processText).default([]),
      env: environment.default([]),
      credential: z
        .strictObject({
          strategy: z.literal('none', 'must be none for a stdio server, which has no request that could carry a credential'),
        })
        .default({ strategy: 'none' }),
    }),
  ],
  { error: ({ code }) => (code === 'invalid_union' ? 'must be streamable-http, http+sse or stdio' : undefined) },
);

/** Reads `servers/*.yaml` and the tool catalogues they name. */
export function readRegistry(files: BundleFiles): Result<Registry, readonly BundleProblem[]> {
  const problems: BundleProblem[] = [];
  const registry = new Map<string, RegisteredServer>();
  const usedCatalogues = new Set<string>();
  const captured = new CapturedServers();
  let allServersRead = true;
  for (const source of files.servers) {
    const read = readYaml(source, serverSchema);
    if (!read.ok) {
      allServersRead = false;
      problems.push(...read.failure);
      continue;
    }
    const { tools, bridge_to: bridgeTo, ...rest } = read.value.value;
    const entry: ServerEntry = bridgeTo === undefined ? rest : { ...rest, bridgeTo };
    if (registry.has(entry.name)) {
      problems.push(problem(source.path, read.value.lineOf(['name']), `a server named ${entry.name} is registered twice`));
    }
    problems.push(...captured.add(read.value, entry));
    if (bridgeTo !== undefined && entry.credential.strategy === 'agent') {
      const reason = 'bridge_to: what an agent shows a server by itself is for its own messages, not for translations of them';
      problems.push(problem(source.path, read.value.lineOf(['bridge_to']), reason));
    }
    if (entry.transport === 'http+sse' && bridgeTo === 'modern') {
      problems.push(
        problem(source.path, read.value.lineOf(['bridge_to']), 'bridge_to: a server of the http+sse transport cannot be modern'),
      );
    }
    const catalogue = tools === undefined ? ok(undefined) : catalogueOf(read.value, tools, files.catalogues, usedCatalogues);
    if (catalogue.ok) registry.set(entry.name, registered(entry, catalogue.value));
    else problems.push(...catalogue.failure);
  }
  // A server that cannot be read may name any of them.
  for (const file of allServersRead ? files.catalogues.keys() : []) {
    if (!usedCatalogues.has(file)) problems.push(problem(file, undefined, 'no server names this file in its `tools`'));
  }
  if (files.servers.length === 0) {
    // A directory that is not mounted yet looks like this. Taking it for a bundle would replace one that works.
    problems.push(problem('', undefined, 'the bundle has no servers/*.yaml; it must register at least one server'));
  }
  return problems.length > 0 ? fail(problems) : ok(registry);
}

function registered(entry: ServerEntry, catalogue: ToolCatalogue | undefined): RegisteredServer {
  return { entry: catalogue === undefined ? entry : { ...entry, declaredTools: [...catalogue.keys()] }, catalogue };
}

/** The servers that authorize agents themselves are reached under their own URL alone, so that it must lead to each of them and to no other. */
class CapturedServers {
  readonly #byUrl = new Map<string, ServerEntry>();

  /** What is wrong with one more server beside those before it. */
  add(file: YamlFile<unknown>, entry: ServerEntry): BundleProblem[] {
    if (entry.transport === 'stdio') return [];
    const { href } = new URL(entry.url);
    const other = this.#byUrl.get(href);
    this.#byUrl.set(href, entry);
    const refuse = (key: string, message: string) => [problem(file.file, file.lineOf([key]), `${key}: ${message}`)];
    if (entry.credential.strategy === 'agent' && entry.transport !== 'streamable-http')
      return refuse('credential', 'the strategy agent needs the transport streamable-http');
    if (other !== undefined && [entry, other].some(({ credential }) => credential.strategy === 'agent'))
      return refuse('url', `${other.name} has the same one; a server with the credential strategy agent needs a URL of its own`);
    return [];
  }
}

function catalogueOf(
  server: YamlFile<unknown>,
  name: string,
  catalogues: BundleFiles['catalogues'],
  used: Set<string>,
): Result<ToolCatalogue, readonly BundleProblem[]> {
  const file = `servers/${name}`;
  const bytes = catalogues.get(file);
  if (bytes === undefined) return fail([problem(server.file, server.lineOf(['tools']), `tools: there is no file ${file}`)]);
  used.add(file);
  return readCatalogue(file, bytes);
}

function placeholders(text: string): readonly string[] {
  return text.match(/\{[^}]*\}?|\}/g) ?? [];
}
