/** Takes a step, and takes it again after the user authorized it. */
export type Attempt = <Result>(step: () => Promise<Result>) => Promise<Result>;

/** A third one is begun by the SDK and not brought to an end: by then the client is in a loop. */
const MAX_AUTHORIZATIONS = 2;

/**
 * @param isUnauthorized whether this line of the SDK says that it has sent the user to authorize
 * @param finish exchanges what the user brought back for a token
 */
export function attemptsWith(isUnauthorized: (error: unknown) => boolean, finish: () => Promise<void>): Attempt {
  let authorizations = 0;
  return async (step) => {
    for (;;) {
      try {
        return await step();
      } catch (error) {
        if (!causes(error).some(isUnauthorized) || authorizations === MAX_AUTHORIZATIONS) throw error;
        authorizations += 1;
        await finish();
      }
    }
  };
}

function causes(error: unknown): unknown[] {
  return error instanceof Error ? [error, ...causes(error.cause)] : [];
}
