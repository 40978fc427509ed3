import { Agent, createServer } from 'node:http';
import httpProxy from 'http-proxy-3';
import { ready, upstreamOrigin } from './ready.ts';

/** A bare pass-through by http-proxy-3, as its documentation shows it, with kept-alive connections. */
const proxy = httpProxy.createProxyServer({ target: upstreamOrigin().href, agent: new Agent({ keepAlive: true }) });
proxy.on('error', (error) => {
  throw error;
});

const server = createServer((request, response) => proxy.web(request, response));
server.listen(0, '127.0.0.1', () => ready(server));
