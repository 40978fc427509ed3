import type { Server } from 'node:net';

/** What a benchmark process tells its parent once it listens. */
export interface Ready {
  readonly port: number;
}

/** Reports the port to the parent, and ends this process when the parent is gone. */
export function ready(server: Server): void {
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('not listening on a port');
  process.once('disconnect', () => process.exit(0));
  process.send?.({ port: address.port } satisfies Ready);
}

/** The one argument of a bare gateway: the origin of its upstream. */
export function upstreamOrigin(): URL {
  return new URL(process.argv[2] ?? '');
}
