/** How a planned call has to end for one user. `reason` is the sentence the agent is told. */
export type ExpectedCall = { readonly outcome: 'allowed' } | { readonly outcome: 'denied'; readonly reason: string };

export interface Expectation {
  readonly user: string;
  readonly groups: readonly string[];
  /** Exactly these tools are listed, by server. */
  readonly tools: Readonly<Record<string, readonly string[]>>;
  /** Exactly these prompts are listed, by server. */
  readonly prompts: Readonly<Record<string, readonly string[]>>;
  /** How each step of the agent's plan ends. */
  readonly calls: Readonly<Record<string, ExpectedCall>>;
  /** Steps that go through although a policy on trial would refuse them, with that policy's id. */
  readonly wouldDeny: Readonly<Record<string, string>>;
}

const ALLOWED: ExpectedCall = { outcome: 'allowed' };
const denied = (reason: string): ExpectedCall => ({ outcome: 'denied', reason });
const NO_ENVIRONMENT = denied("get-env prints the server's environment variables, secrets included.");

/** What the sample bundle means for the two users, written down by hand: `--once` compares the run with it. */
export const EXPECTATIONS: readonly Expectation[] = [
  {
    user: 'alice',
    groups: ['support'],
    tools: {
      tickets: ['create_ticket', 'get_ticket', 'list_tickets', 'update_ticket', 'whoami'],
      everything: ['echo', 'get-sum'],
    },
    prompts: { tickets: ['summarize_ticket'], everything: [] },
    calls: {
      'see who I am': ALLOWED,
      'list open tickets': ALLOWED,
      'read a ticket': ALLOWED,
      'open an urgent ticket': ALLOWED,
      'set a ticket to waiting': ALLOWED,
      'delete a customer ticket': denied('Tickets are deleted by engineering on request; ask in #tickets.'),
      'delete a rehearsal ticket': denied('Tickets are deleted by engineering on request; ask in #tickets.'),
      echo: ALLOWED,
      'add numbers': ALLOWED,
      'ask for structured content': denied('no policy permits alice to call get-structured-content on everything'),
      'print the environment': NO_ENVIRONMENT,
    },
    wouldDeny: { 'open an urgent ticket': 'trials/urgent-is-for-on-call' },
  },
  {
    user: 'bob',
    groups: ['engineering'],
    tools: {
      tickets: ['create_ticket', 'delete_ticket', 'get_ticket', 'list_tickets', 'update_ticket', 'whoami'],
      everything: [
        'echo',
        'get-annotated-message',
        'get-resource-links',
        'get-resource-reference',
        'get-structured-content',
        'get-sum',
        'get-tiny-image',
        'gzip-file-as-resource',
        'simulate-research-query',
        'toggle-simulated-logging',
        'toggle-subscriber-updates',
        'trigger-long-running-operation',
      ],
    },
    prompts: {
      tickets: ['postmortem', 'summarize_ticket'],
      everything: ['args-prompt', 'completable-prompt', 'resource-prompt', 'simple-prompt'],
    },
    calls: {
      'see who I am': ALLOWED,
      'list open tickets': ALLOWED,
      'read a ticket': ALLOWED,
      'open an urgent ticket': ALLOWED,
      'set a ticket to waiting': ALLOWED,
      'delete a customer ticket': denied('Only rehearsal tickets (TEST-...) may be deleted; close the others.'),
      'delete a rehearsal ticket': ALLOWED,
      echo: ALLOWED,
      'add numbers': ALLOWED,
      'ask for structured content': ALLOWED,
      'print the environment': NO_ENVIRONMENT,
    },
    wouldDeny: {},
  },
];
