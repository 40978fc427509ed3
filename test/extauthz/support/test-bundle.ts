/** A bundle's files, by path. */
export type BundleText = Readonly<Record<string, string>>;

/**
 * Two servers, one with per-user secrets. Support may list and close tickets; nobody may delete them, with a reason.
 * A rule about arguments: support may not close ticket 13.
 */
export const TEST_BUNDLE: BundleText = {
  'servers/tickets.yaml': `name: tickets
url: http://127.0.0.1:9501/mcp
credential:
  strategy: file
  path: tickets/{user}
  header: authorization
  format: "Bearer {secret}"
tools: tickets.tools.json
`,
  'servers/tickets.tools.json': JSON.stringify([
    { name: 'list_tickets', inputSchema: { type: 'object', properties: {} } },
    { name: 'close_ticket', inputSchema: { type: 'object', properties: { number: { type: 'integer' } }, required: ['number'] } },
    { name: 'delete_ticket', inputSchema: { type: 'object', properties: { number: { type: 'integer' } }, required: ['number'] } },
  ]),
  'servers/everything.yaml': 'name: everything\nurl: http://everything.example/mcp\n',
  'policies/support.cedar': `@id("support-tickets")
permit (principal in Group::"support", action in [Action::"tickets/list_tickets", Action::"tickets/close_ticket"], resource);

@id("ticket-13-stays")
@reason("ticket 13 stays open")
forbid (principal, action == Action::"tickets/close_ticket", resource)
when { context.input.number == 13 };

@id("nobody-deletes")
@reason("tickets are never deleted")
forbid (principal, action == Action::"tickets/delete_ticket", resource);
`,
  'policies/ask.cedar': `@id("everything-may-ask-for-roots")
permit (principal, action == Action::"AskClient", resource == Method::"everything/roots/list");
`,
  'groups.yaml': 'users:\n  carol: [support]\n',
};

/** The same, and bob is locked out altogether. */
export const BUNDLE_WITHOUT_BOB: BundleText = {
  ...TEST_BUNDLE,
  'policies/lock.cedar': `@id("bob-is-out")
@reason("bob is on leave")
forbid (principal == User::"bob", action, resource);
`,
};
