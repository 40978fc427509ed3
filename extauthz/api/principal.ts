/** The verified end user on whose behalf the agent acts. */
export interface User {
  /** Cedar entity id: the token's `sub`, behind the issuer's configured prefix. */
  readonly id: string;
  /** The token's `sub` claim (RFC 7519 section 4.1.2). */
  readonly subject: string;
  /** The token's `iss` claim (RFC 7519 section 4.1.1). */
  readonly issuer: string;
  /** Group names: the bundle's `groups.yaml` together with the token's groups claim. Sorted, no duplicates. */
  readonly groups: readonly string[];
}

/** The verified workload that runs the agent and its sidecar. */
export interface Agent {
  readonly namespace: string;
  readonly serviceAccount: string;
  /** Pod name when the workload token is pod-bound, else undefined. */
  readonly pod: string | undefined;
}

export interface Principal {
  readonly user: User;
  readonly agent: Agent;
}
