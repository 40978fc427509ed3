export interface PlannedCall {
  /** What the call is for, in words. Each is unique in a plan. */
  readonly step: string;
  readonly server: string;
  readonly tool: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

/**
 * What the agent does, in this order, for whoever runs it: an ordinary script in the place of a model.
 * It does not know what it may do. Policy decides that, from who the user is.
 */
export const PLAN: readonly PlannedCall[] = [
  { step: 'see who I am', server: 'tickets', tool: 'whoami', arguments: {} },
  { step: 'list open tickets', server: 'tickets', tool: 'list_tickets', arguments: { status: 'open' } },
  { step: 'read a ticket', server: 'tickets', tool: 'get_ticket', arguments: { id: 'T-101' } },
  {
    step: 'open an urgent ticket',
    server: 'tickets',
    tool: 'create_ticket',
    arguments: { title: 'Login page is slow', priority: 'urgent' },
  },
  { step: 'set a ticket to waiting', server: 'tickets', tool: 'update_ticket', arguments: { id: 'T-101', status: 'waiting' } },
  { step: 'delete a customer ticket', server: 'tickets', tool: 'delete_ticket', arguments: { id: 'T-102' } },
  { step: 'delete a rehearsal ticket', server: 'tickets', tool: 'delete_ticket', arguments: { id: 'TEST-1' } },
  { step: 'echo', server: 'everything', tool: 'echo', arguments: { message: 'hello' } },
  { step: 'add numbers', server: 'everything', tool: 'get-sum', arguments: { a: 2, b: 3 } },
  { step: 'ask for structured content', server: 'everything', tool: 'get-structured-content', arguments: { location: 'Chicago' } },
  { step: 'print the environment', server: 'everything', tool: 'get-env', arguments: {} },
];

/** The call that is repeated to measure latency: read-only, small, and answered by the ticket server itself. */
export const MEASURED_CALL: PlannedCall = { step: 'see who I am', server: 'tickets', tool: 'whoami', arguments: {} };
