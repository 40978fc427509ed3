import type { Logger } from './logger.ts';

/** Undoes one start step. It must settle by itself; it is cut off when the drain time is over. */
export type Stop = () => Promise<void> | void;

/** Startup failed for a reason the operator can mend; printed as one line, without a stack. */
export class StartupError extends Error {
  override readonly name = 'StartupError';
}

/**
 * Runs a process until SIGTERM or SIGINT: starts it, waits, then stops its parts in the reverse of the order they were registered.
 * A second signal, or `drainMs` passing, ends it at once with code 1. A fault that nothing caught also ends it.
 */
export async function runUntilSignal(
  logger: Logger,
  drainMs: number,
  start: (onStop: (stop: Stop) => void) => Promise<void>,
): Promise<void> {
  const stops: Stop[] = [];
  const signal = Promise.withResolvers<string>();
  process.on('uncaughtException', (error) => {
    logger.fatal({ err: error }, 'fault');
    process.exit(1);
  });
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => signal.resolve(name));

  let failure: unknown;
  try {
    await Promise.race([start((stop) => stops.push(stop)), signal.promise]);
    const name = await signal.promise;
    logger.info({ signal: name }, 'stopping');
  } catch (error) {
    failure = error;
    const known = error instanceof Error && (error.name === 'StartupError' || error.name === 'SettingsError');
    if (known) logger.fatal(error.message);
    else logger.fatal({ err: error }, 'could not start');
  }

  const cutOff = setTimeout(() => {
    logger.error({ drainMs }, 'drain time is over');
    process.exit(1);
  }, drainMs);
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => process.exit(1));
  for (const stop of stops.reverse()) {
    try {
      await stop();
    } catch (error) {
      logger.error({ err: error }, 'a part did not stop cleanly');
    }
  }
  clearTimeout(cutOff);
  process.exit(failure === undefined ? 0 : 1);
}
