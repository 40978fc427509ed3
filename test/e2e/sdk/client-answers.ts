export type ElicitAnswer =
  | { action: 'accept'; content?: Record<string, string | number | boolean | string[]> }
  | { action: 'decline' }
  | { action: 'cancel' };

export interface Root {
  readonly uri: string;
  readonly name: string;
}

/** How the client answers what a server asks of it, and what it was asked. */
export class ClientAnswers {
  readonly asked: unknown[] = [];
  elicitation: ElicitAnswer = { action: 'accept', content: { name: 'Ada Lovelace', check: true, integer: 7 } };
  roots: readonly Root[];
  timesAskedForRoots = 0;

  constructor(roots: readonly Root[] = [{ uri: 'file:///projects/one', name: 'one' }]) {
    this.roots = roots;
  }

  elicit(params: unknown): ElicitAnswer {
    this.asked.push(params);
    return this.elicitation;
  }

  sample(params: unknown): { model: string; role: 'assistant'; stopReason: string; content: { type: 'text'; text: string } } {
    this.asked.push(params);
    return {
      model: 'test-model',
      role: 'assistant',
      stopReason: 'endTurn',
      content: { type: 'text', text: 'A sampled answer: ä ∀ "quoted"' },
    };
  }

  listRoots(): { roots: Root[] } {
    this.timesAskedForRoots += 1;
    return { roots: [...this.roots] };
  }

  /** What was asked since the last time. */
  take(): unknown[] {
    return this.asked.splice(0);
  }
}
