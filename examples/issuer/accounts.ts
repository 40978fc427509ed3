/** A person who can sign in at the example issuer. There are no passwords: it serves only a development machine's loopback. */
export interface ExampleAccount {
  /** The token's `sub` claim. */
  readonly id: string;
  /** The token's `groups` claim. */
  readonly groups: readonly string[];
}

export const ACCOUNTS: readonly ExampleAccount[] = [
  { id: 'alice', groups: ['support'] },
  { id: 'bob', groups: ['engineering'] },
];

export function accountById(id: string): ExampleAccount | undefined {
  return ACCOUNTS.find((account) => account.id === id);
}
