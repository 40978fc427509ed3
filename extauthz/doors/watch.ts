import type { ServerWritableStream } from '@grpc/grpc-js';
import type { RouteMessage, RoutesMessage, ViewMessage, WatchEvent, WatchRequest } from '../api/protos.ts';
import type { BundleSource } from '../bundle-source.ts';
import type { Bundle, ServerEntry } from '../policy/engine.ts';
import { endStream } from './stream-end.ts';
import { serveVerified, type VerifiedStreamOptions } from './verified-stream.ts';

export interface WatchOptions extends VerifiedStreamOptions {
  readonly bundles: BundleSource;
  readonly heartbeatMs: number;
  readonly leaseMs: number;
}

/**
 * `sidegate.v1.PolicyService/Watch`: at once the routes, the views and the revision, then the revision and a renewed lease at each heartbeat,
 * and all of it again as soon as the bundle changes.
 */
export function watchDoor(options: WatchOptions): (call: ServerWritableStream<WatchRequest, WatchEvent>) => void {
  const { bundles, heartbeatMs, leaseMs } = options;
  return (call) =>
    void serveVerified(call, options, () => {
      /** The bundle whose routes the peer was last told. */
      let told: Bundle | undefined;
      const tell = () => {
        // A peer that does not read loses its lease; hoarding heartbeats for it would only renew the lease too late.
        if (call.writableNeedDrain) return;
        const bundle = bundles.current();
        const isNews = bundle !== told;
        told = bundle;
        const routes = isNews ? routesOf(bundle) : null;
        call.write({ revision: bundle.revision, leaseMs, routes, revokedUsers: [], views: isNews ? viewsOf(bundle) : [] });
      };
      tell();
      const heartbeat = setInterval(tell, heartbeatMs);
      const unsubscribe = bundles.onChange(tell);
      call.on('drain', tell);
      const stop = () => {
        clearInterval(heartbeat);
        unsubscribe();
      };
      call.once('close', stop);
      return (end) => {
        stop();
        endStream(call, end);
      };
    });
}

/** Only what a sidecar needs to reach the servers; where credentials come from stays here, but for those that agents bring. */
function routesOf({ servers }: Bundle): RoutesMessage {
  return { routes: [...servers.values()].map(routeOf) };
}

function viewsOf({ views }: Bundle): readonly ViewMessage[] {
  return [...views].map(([name, tools]) => ({ name, allowTools: tools }));
}

function routeOf(entry: ServerEntry): RouteMessage {
  const { name, transport, instructions = 'judge', declaredTools = [], bridgeTo = '' } = entry;
  const common = { name, transport, instructions, tools: declaredTools, bridgeTo };
  return entry.transport === 'stdio'
    ? { ...common, url: '', stdio: { command: entry.command, args: entry.args, env: entry.env }, agentCredential: false }
    : { ...common, url: entry.url, stdio: null, agentCredential: entry.credential.strategy === 'agent' };
}
