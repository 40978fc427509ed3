import { comparable } from './outcome.ts';
import type { SdkClient } from './sdk-client.ts';
import type { Step } from './transcript.ts';

interface TicketResult {
  readonly structuredContent: { readonly ticket: { readonly id: string } };
}

/** The example ticket server: its tools change things as the user whose credential arrives. */
export const TICKETS: readonly Step<SdkClient>[] = [
  { name: 'the handshake', run: async (client) => client.handshake() },
  { name: 'tools/list', run: (client) => client.listTools() },
  { name: 'prompts/list', run: (client) => client.listPrompts() },
  { name: 'resources/list', run: (client) => client.listResources() },
  { name: 'resources/templates/list', run: (client) => client.listResourceTemplates() },
  { name: 'list_tickets', run: (client) => client.callTool('list_tickets', {}) },
  { name: 'get_ticket', run: (client) => client.callTool('get_ticket', { id: 'T-101' }) },
  { name: 'get_ticket of an unknown ticket', run: (client) => client.callTool('get_ticket', { id: 'T-0' }) },
  { name: 'list_tickets with a status that there is not', run: (client) => client.callTool('list_tickets', { status: 'lost' }) },
  {
    name: 'create_ticket, update_ticket, delete_ticket',
    async run({ callTool }) {
      const created = (await callTool('create_ticket', { title: 'From an SDK: ünïcödé', priority: 'high' })) as TicketResult;
      const { id } = created.structuredContent.ticket;
      const results = [created, await callTool('update_ticket', { id, status: 'closed' }), await callTool('delete_ticket', { id })];
      return JSON.parse(JSON.stringify(results).replaceAll(id, '<new ticket>'));
    },
  },
  {
    name: 'whoami: the same user with the same credential',
    async run({ callTool }) {
      const { structuredContent } = (await callTool('whoami')) as { structuredContent: Record<string, unknown> };
      const { traceparent, ...who } = structuredContent;
      return { ...who, isTraced: /^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/.test(String(traceparent)) };
    },
    governed: (direct) => ({ ...(direct as object), isTraced: true }),
  },
  { name: 'prompts/get', run: (client) => client.getPrompt('summarize_ticket', { id: 'T-101' }) },
  { name: 'prompts/get without arguments', run: (client) => client.getPrompt('postmortem') },
  { name: 'prompts/get without its argument', run: (client) => client.getPrompt('summarize_ticket', {}), fails: -32602 },
  { name: 'resources/read', run: (client) => client.readResource('tickets://T-102') },
  { name: 'resources/read of an unknown resource', run: (client) => client.readResource('other://T-102'), fails: -32602 },
  { name: 'an unknown tool', run: async (client) => comparable(await client.callTool('no-such-tool')), fails: -32602 },
];
