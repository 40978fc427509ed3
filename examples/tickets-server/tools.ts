import type { CallToolResult, McpServer, ServerContext } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { PRIORITIES, STATUSES, type TicketStore } from './store.ts';

const ticketId = z.string().describe('Ticket id, for example T-101');

/** A result both for a model (text) and for a program (structured). */
function answer(value: Record<string, unknown>): CallToolResult {
  return { content: [{ type: 'text', text: JSON.stringify(value) }], structuredContent: value };
}

function noSuchTicket(id: string): CallToolResult {
  return { content: [{ type: 'text', text: `There is no ticket ${id}` }], isError: true };
}

/** The user the server acts as: the subject of the token it verified. */
function userOf(context: ServerContext): string {
  const subject = context.http?.authInfo?.extra?.['subject'];
  if (typeof subject !== 'string') throw new Error('a request reached a tool without a verified user');
  return subject;
}

export function registerTools(server: McpServer, store: TicketStore, traceparentHeader: string | undefined): void {
  server.registerTool(
    'list_tickets',
    {
      description: 'Lists tickets, all of them or those with one status.',
      inputSchema: z.object({ status: z.enum(STATUSES).optional() }),
      annotations: { readOnlyHint: true },
    },
    ({ status }) => answer({ tickets: store.list(status) }),
  );
  server.registerTool(
    'get_ticket',
    { description: 'Shows one ticket.', inputSchema: z.object({ id: ticketId }), annotations: { readOnlyHint: true } },
    ({ id }) => {
      const ticket = store.get(id);
      return ticket === undefined ? noSuchTicket(id) : answer({ ticket });
    },
  );
  server.registerTool(
    'create_ticket',
    {
      description: 'Opens a ticket that belongs to the caller.',
      inputSchema: z.object({ title: z.string(), priority: z.enum(PRIORITIES).optional() }),
      annotations: { destructiveHint: false },
    },
    ({ title, priority = 'normal' }, context) => answer({ ticket: store.create(userOf(context), title, priority) }),
  );
  server.registerTool(
    'update_ticket',
    {
      description: 'Changes the status or priority of a ticket.',
      inputSchema: z.object({ id: ticketId, status: z.enum(STATUSES).optional(), priority: z.enum(PRIORITIES).optional() }),
      annotations: { destructiveHint: false, idempotentHint: true },
    },
    ({ id, status, priority }, context) => {
      const ticket = store.update(userOf(context), id, { status, priority });
      return ticket === undefined ? noSuchTicket(id) : answer({ ticket });
    },
  );
  server.registerTool(
    'delete_ticket',
    {
      description: 'Deletes a ticket for good.',
      inputSchema: z.object({ id: ticketId }),
      annotations: { destructiveHint: true, idempotentHint: true },
    },
    ({ id }) => (store.delete(id) ? answer({ deleted: id }) : noSuchTicket(id)),
  );
  server.registerTool(
    'whoami',
    {
      description: 'Says which user and which credential this server saw, and the trace context that arrived.',
      inputSchema: z.object({}),
      annotations: { readOnlyHint: true },
    },
    (_input, context) => {
      const auth = context.http?.authInfo;
      return answer({
        user: userOf(context),
        issuer: auth?.extra?.['issuer'],
        audience: auth?.resource?.href,
        clientId: auth?.clientId,
        // The SDK leaves W3C trace context in `_meta`; the header is what a proxy without MCP knowledge would have set.
        traceparent: context.mcpReq._meta?.['traceparent'] ?? traceparentHeader ?? null,
      });
    },
  );
}
