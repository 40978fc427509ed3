import { type McpServer, ResourceTemplate } from '@modelcontextprotocol/server';
import { z } from 'zod';
import type { TicketStore } from './store.ts';

export function registerPromptsAndResources(server: McpServer, store: TicketStore): void {
  server.registerPrompt(
    'summarize_ticket',
    { description: 'Asks for a summary of one ticket.', argsSchema: z.object({ id: z.string() }) },
    ({ id }) => ({
      messages: [{ role: 'user', content: { type: 'text', text: `Summarize this ticket:\n${JSON.stringify(store.get(id) ?? null)}` } }],
    }),
  );
  server.registerPrompt('postmortem', { description: 'Drafts an incident report from all closed tickets.' }, () => ({
    messages: [
      { role: 'user', content: { type: 'text', text: `Draft an incident report from:\n${JSON.stringify(store.list('closed'))}` } },
    ],
  }));
  server.registerResource(
    'ticket',
    new ResourceTemplate('tickets://{id}', {
      list: () => ({ resources: store.list().map(({ id, title }) => ({ uri: `tickets://${id}`, name: id, title })) }),
    }),
    { description: 'One ticket as JSON', mimeType: 'application/json' },
    (uri, { id }) => ({ contents: [{ uri: uri.href, mimeType: 'application/json', text: JSON.stringify(store.get(String(id)) ?? null) }] }),
  );
}
