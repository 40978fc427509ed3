import { type Outcome, outcomeOf } from './outcome.ts';

/** One thing that a client does, once directly and once through the sidecar. */
export interface Step<C> {
  readonly name: string;
  readonly run: (client: C) => Promise<unknown>;
  /** The error code that the server itself answers; absent when it answers with a result. */
  readonly fails?: number | string;
  /** What policy makes of the direct outcome; absent when it changes nothing. */
  readonly governed?: (direct: unknown) => unknown;
  /** Policy refuses it, with this reason. */
  readonly denied?: string;
  /** The end of the message with which the sidecar answers in the server's place, under the code of `fails`. */
  readonly refused?: string;
}

/** What came of each step, by its name. */
export type Transcript = ReadonlyMap<string, Outcome>;

/** Takes the steps in order with one client, which is closed after them. */
export async function transcribe<C extends { close(): Promise<void> }>(
  connect: () => Promise<C>,
  steps: readonly Step<C>[],
): Promise<Transcript> {
  const client = await connect();
  const transcript = new Map<string, Outcome>();
  try {
    for (const { name, run } of steps) transcript.set(name, await outcomeOf(() => run(client)));
  } finally {
    await client.close();
  }
  return transcript;
}
