import { Server } from 'node:net';

/**
 * Preloaded into the reference server, whose published program listens on every interface and cannot be told otherwise.
 * A server given a port and no host listens on loopback instead.
 */
type Listen = (this: Server, ...options: unknown[]) => Server;
const listen = Server.prototype.listen as Listen;

Server.prototype.listen = function listenOnLoopback(this: Server, ...options: unknown[]): Server {
  const [port, host, ...rest] = options;
  const onlyPort = (typeof port === 'number' || typeof port === 'string') && typeof host !== 'string';
  return onlyPort
    ? listen.call(this, Number(port), '127.0.0.1', ...[host, ...rest].filter((option) => option !== undefined))
    : listen.apply(this, options);
} as typeof Server.prototype.listen;
