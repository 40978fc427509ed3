export const PRIORITIES = ['low', 'normal', 'high', 'urgent'] as const;
export const STATUSES = ['open', 'waiting', 'closed'] as const;
export type Priority = (typeof PRIORITIES)[number];
export type Status = (typeof STATUSES)[number];

export interface Ticket {
  /** `T-` and a number; `TEST-` and a number for a rehearsal ticket. */
  readonly id: string;
  readonly title: string;
  readonly priority: Priority;
  readonly status: Status;
  /** `sub` of the user who opened it. */
  readonly owner: string;
  /** `sub` of the user who changed it last. */
  readonly changedBy: string;
}

const FIRST_TICKETS: readonly Ticket[] = [
  { id: 'T-101', title: 'Invoice shows the wrong currency', priority: 'high', status: 'open', owner: 'alice', changedBy: 'alice' },
  { id: 'T-102', title: 'Export times out after a minute', priority: 'normal', status: 'waiting', owner: 'bob', changedBy: 'bob' },
  { id: 'TEST-1', title: 'Rehearsal: delete me', priority: 'low', status: 'open', owner: 'bob', changedBy: 'bob' },
];

/** Tickets in memory. Every change carries the user who made it, which the server takes from the verified token and nowhere else. */
export class TicketStore {
  readonly #tickets = new Map(FIRST_TICKETS.map((ticket) => [ticket.id, ticket]));
  #lastNumber = 102;

  list(status?: Status): readonly Ticket[] {
    return [...this.#tickets.values()].filter((ticket) => status === undefined || ticket.status === status);
  }

  get(id: string): Ticket | undefined {
    return this.#tickets.get(id);
  }

  create(user: string, title: string, priority: Priority): Ticket {
    this.#lastNumber += 1;
    const ticket: Ticket = { id: `T-${this.#lastNumber}`, title, priority, status: 'open', owner: user, changedBy: user };
    this.#tickets.set(ticket.id, ticket);
    return ticket;
  }

  /** @returns the changed ticket, or undefined when there is none with that id. */
  update(
    user: string,
    id: string,
    changes: { readonly status?: Status | undefined; readonly priority?: Priority | undefined },
  ): Ticket | undefined {
    const ticket = this.#tickets.get(id);
    if (ticket === undefined) return undefined;
    const changed: Ticket = {
      ...ticket,
      status: changes.status ?? ticket.status,
      priority: changes.priority ?? ticket.priority,
      changedBy: user,
    };
    this.#tickets.set(id, changed);
    return changed;
  }

  delete(id: string): boolean {
    return this.#tickets.delete(id);
  }
}
