import type { Server } from 'node:net';
import { StartupError } from './lifecycle.ts';
import { type Address, formatAddress } from './setting-types.ts';

/**
 * Starts listening and gives the address actually bound (port 0 resolved).
 * @throws {StartupError} when the address is taken or may not be used.
 */
export function listen(server: Server, { host, port }: Address, what: string): Promise<Address> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      // `::` is every interface, of a machine that has IPv6.
      if (host === '::' && (error.code === 'EAFNOSUPPORT' || error.code === 'EADDRNOTAVAIL')) {
        return resolve(listen(server, { host: '0.0.0.0', port }, what));
      }
      const cause = error.code === 'EADDRINUSE' ? 'the port is taken' : (error.code ?? error.message);
      reject(new StartupError(`${what}: cannot listen on ${formatAddress({ host, port })}: ${cause}`));
    });
    server.listen(port, host, () => {
      const bound = server.address();
      resolve(typeof bound === 'object' && bound !== null ? { host, port: bound.port } : { host, port });
    });
  });
}
