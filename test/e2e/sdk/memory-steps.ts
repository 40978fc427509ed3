import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { McpClient } from './mcp-client.ts';
import type { ProgramStep } from './program-steps.ts';
import type { Step } from './transcript.ts';

const GRAPH = 'memory://knowledge-graph';

const SEED = [
  { type: 'entity', name: 'Grace', entityType: 'person', observations: ['found a moth'] },
  { type: 'entity', name: 'compiler', entityType: 'program', observations: [] },
  { type: 'relation', from: 'Grace', to: 'compiler', relationType: 'wrote' },
];

/** Makes the directory with the server's file, as it is before the first step. */
export function makeMemory(directory: string): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'memory.jsonl'), SEED.map((line) => JSON.stringify(line)).join('\n'));
}

const ADA = { name: 'Ada "L"', entityType: 'person', observations: ['wrote ünïcödé 𝕊\n notes'] };
const ENGINE = { name: 'engine', entityType: 'machine', observations: [] };
const DESIGNED = { from: 'Ada "L"', to: 'engine', relationType: 'described' };

function call(tool: string, args: Readonly<Record<string, unknown>>, remark = ''): ProgramStep {
  return { name: `${tool}${remark}`, tool, args };
}

/** Tools that change nothing, and mistakes. */
export const MEMORY_READS: readonly ProgramStep[] = [
  call('read_graph', {}),
  call('search_nodes', { query: 'moth' }),
  call('open_nodes', { names: ['compiler', 'nobody'] }),
  call('search_nodes', {}, ' without its argument'),
  call('open_nodes', { names: 'compiler' }, ' with an argument of another type'),
  call('no_such_tool', {}),
  { name: 'resources/read', read: GRAPH },
  { name: 'resources/read of an unknown resource', read: 'memory://no-such', fails: -32602 },
];

/** Tools that change the graph. */
export const MEMORY_WRITES: readonly ProgramStep[] = [
  call('create_entities', { entities: [ADA, ENGINE] }),
  call('create_relations', { relations: [DESIGNED, { from: 'engine', to: 'Ada "L"', relationType: 'needs' }] }),
  call('add_observations', { observations: [{ entityName: 'engine', contents: ['has gears', 'is large'] }] }),
  call('add_observations', { observations: [{ entityName: 'nobody', contents: ['x'] }] }, ' to nobody'),
  call('delete_observations', { deletions: [{ entityName: 'engine', observations: ['is large'] }] }),
  call('delete_relations', { relations: [{ from: 'engine', to: 'Ada "L"', relationType: 'needs' }] }),
  call('delete_entities', { entityNames: ['nobody'] }),
];

/** The whole surface: what is read after the writes is what they left. */
export const MEMORY_SURFACE: readonly ProgramStep[] = [
  ...MEMORY_WRITES,
  ...MEMORY_READS,
  call('delete_entities', { entityNames: ['Ada "L"'] }, ': one that is there'),
  call('read_graph', {}, ' afterwards'),
];

/** What the memory server has beside tools. */
export const MEMORY_RESOURCES: readonly Step<McpClient>[] = [
  { name: 'resources/list', run: (client) => client.listResources() },
  { name: 'resources/templates/list', run: (client) => client.listResourceTemplates() },
  {
    name: 'a subscription: an update when the graph changes',
    async run({ inbox, subscribeResource, unsubscribeResource, callTool }) {
      const subscribed = await subscribeResource(GRAPH);
      const changed = await callTool('create_entities', { entities: [{ name: 'watched', entityType: 'thing', observations: [] }] });
      const updated = await inbox.next('notifications/resources/updated');
      return [subscribed, changed, updated, await unsubscribeResource(GRAPH)];
    },
  },
  { name: 'a method that nobody knows', run: (client) => client.request('acme/unknown', { a: 1 }), fails: -32601 },
];
