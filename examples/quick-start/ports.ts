import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { StartupError } from '../../runtime/lifecycle.ts';

/** Every port of the quick start: its usual number, the setting it fills, and who listens there. All of them are on loopback. */
const PORTS = {
  agent: { usual: 9400, setting: 'SIDEGATE_LISTEN', listener: 'sidecar, for agents' },
  sidecarAdmin: { usual: 9401, setting: 'SIDEGATE_ADMIN_LISTEN', listener: 'sidecar, health and metrics' },
  policyGrpc: { usual: 9410, setting: 'SIDEGATE_GRPC_LISTEN', listener: 'policy service, for sidecars' },
  policyHttp: { usual: 9411, setting: 'SIDEGATE_HTTP_LISTEN', listener: 'policy service, health and metrics' },
  issuer: { usual: 9500, setting: 'ISSUER_LISTEN', listener: 'example issuer' },
  tickets: { usual: 9501, setting: 'TICKETS_LISTEN', listener: 'example ticket server' },
  everything: { usual: 9502, setting: 'PORT', listener: 'reference server "everything"' },
  traces: { usual: 9503, setting: 'OTEL_EXPORTER_OTLP_ENDPOINT', listener: 'trace receiver' },
} as const;

export type Ports = Readonly<Record<keyof typeof PORTS, number>>;

/** Binds a port and lets it go again, to learn whether it is free. */
function canBind(port: number, host: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE' || error.code === 'EACCES') resolve(false);
      // A machine without IPv6 has no ::1 on which anything could listen.
      else if (error.code === 'EADDRNOTAVAIL' || error.code === 'EAFNOSUPPORT') resolve(true);
      else reject(error);
    });
    probe.listen({ port, host, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}

/** `localhost` is both addresses; a stranger on the other one would be sent the user's token. */
async function isFree(port: number): Promise<boolean> {
  return (await canBind(port, '127.0.0.1')) && (await canBind(port, '::1'));
}

/** Below the range from which systems take the ports of outgoing connections: one of those could come between choosing and listening. */
const FIRST_PORT = 20_000;
const LAST_PORT = 32_000;

async function anyFreePort(others: ReadonlySet<number>): Promise<number> {
  for (;;) {
    const port = randomInt(FIRST_PORT, LAST_PORT + 1);
    if (!others.has(port) && (await isFree(port))) return port;
  }
}

/**
 * Chooses the ports: the usual ones, or free ones.
 * @throws {StartupError} naming each usual port that is taken.
 */
export async function choosePorts(which: 'usual' | 'auto'): Promise<Ports> {
  const chosen: Record<string, number> = {};
  const taken: string[] = [];
  for (const [name, { usual, setting, listener }] of Object.entries(PORTS)) {
    chosen[name] = which === 'usual' ? usual : await anyFreePort(new Set(Object.values(chosen)));
    if (which === 'usual' && !(await isFree(usual))) taken.push(`port ${usual} is taken (${listener}; ${setting})`);
  }
  if (taken.length > 0) throw new StartupError(`${taken.join(', ')}: end what uses it, or run \`npm start -- --ports auto\``);
  return chosen as Ports;
}
