import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startChild, untilServing } from '../machine/child.ts';
import { accepts, freePort } from '../machine/ports.ts';
import type { Gateway, GatewayContext } from './gateway.ts';

/** A proxy of somebody else's that may or may not be installed. */
interface Peer {
  /** File name of the program. */
  readonly program: string;
  readonly versionFlag: string;
  config(ports: { readonly own: number; readonly upstream: number }, directory: string): string;
  args(configFile: string, directory: string): string[];
}

/** One worker, kept-alive connections on both sides, no access log: each is set up to be as quick as it can be. */
export const NGINX: Peer = {
  program: 'nginx',
  versionFlag: '-v',
  config: ({ own, upstream }, directory) => `
daemon off;
master_process off;
worker_processes 1;
pid ${directory}/nginx.pid;
error_log stderr error;
events { worker_connections 4096; }
http {
  access_log off;
  tcp_nodelay on;
  keepalive_timeout 75s;
  keepalive_requests 1000000000;
  client_body_temp_path ${directory}/body;
  proxy_temp_path ${directory}/proxy;
  fastcgi_temp_path ${directory}/fastcgi;
  uwsgi_temp_path ${directory}/uwsgi;
  scgi_temp_path ${directory}/scgi;
  upstream mcp { server 127.0.0.1:${upstream}; keepalive 256; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:${own};
    location / { proxy_pass http://mcp; proxy_http_version 1.1; proxy_set_header Connection ""; }
  }
}
`,
  args: (configFile, directory) => ['-p', directory, '-e', 'stderr', '-c', configFile],
};

export const HAPROXY: Peer = {
  program: 'haproxy',
  versionFlag: '-v',
  config: ({ own, upstream }) => `
global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 300s
  timeout server 300s
  http-reuse always
frontend agents
  bind 127.0.0.1:${own}
  default_backend mcp
backend mcp
  server upstream 127.0.0.1:${upstream}
`,
  args: (configFile) => ['-db', '-f', configFile],
};

/** Undefined when the peer can run; else why it cannot. */
export function missing({ program, versionFlag }: Peer): string | undefined {
  return spawnSync(program, [versionFlag]).error === undefined ? undefined : `${program} is not installed`;
}

export function peerGateway(peer: Peer): (context: GatewayContext) => Promise<Gateway> {
  return async ({ upstreamPort, processor, directory }) => {
    const port = await freePort();
    const configFile = join(directory, `${peer.program}.conf`);
    writeFileSync(configFile, peer.config({ own: port, upstream: upstreamPort }, directory));
    const child = startChild({ name: peer.program, command: [peer.program, ...peer.args(configFile, directory)], processor });
    await untilServing(peer.program, child, accepts(port), 10);
    return { pid: child.pid, port, path: '/mcp', stop: () => child.stop() };
  };
}
