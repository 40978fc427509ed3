import type { IncomingMessage, ServerResponse } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import httpProxy from 'http-proxy-3';
import type { Dispatcher } from 'undici';
import { Agent as HttpAgent } from '../../runtime/http.ts';
import type { Permit } from '../permit.ts';
import type { ServerLegs } from '../server-leg.ts';

/** The legs without a JSON-RPC request: the legacy GET stream and the DELETE that ends a session. */
export class PassThrough {
  readonly #agents = { 'http:': new HttpAgent({ keepAlive: true }), 'https:': new HttpsAgent({ keepAlive: true }) };
  readonly #proxy = httpProxy.createProxyServer({ selfHandleResponse: true, ignorePath: true, changeOrigin: true, xfwd: false });
  readonly #answers = new WeakMap<IncomingMessage, Dispatcher.DispatchHandler>();
  readonly #legs: ServerLegs;

  constructor(legs: ServerLegs) {
    this.#legs = legs;
    this.#proxy.on('proxyRes', (upstream, request) => {
      const answer = this.#answers.get(request);
      if (answer === undefined) upstream.destroy();
      else relayTo(answer, upstream);
    });
    // When the agent resets its connection, http-proxy-3 says so here and nowhere else.
    this.#proxy.on('econnreset', (error, request) => this.#answers.get(request)?.onResponseError?.(controllerOf(undefined), error));
    this.#proxy.on('proxyReq', (outgoing, request) => {
      // A server that switches protocols (101) would leave the agent without an answer.
      outgoing.on('upgrade', (_response, socket) => {
        socket.destroy();
        this.#answers.get(request)?.onResponseError?.(controllerOf(undefined), new Error('the server switched protocols'));
      });
    });
  }

  /** Answers like `Upstreams.forward`, so that one relay serves both legs. */
  forward(
    permit: Permit,
    headers: Record<string, string>,
    request: IncomingMessage,
    response: ServerResponse,
    answer: Dispatcher.DispatchHandler,
  ): void {
    const leg = this.#legs(permit.route);
    if (leg !== undefined) return leg.stream(permit, request.method, headers, answer);
    const { url } = permit.route;
    const agent = this.#agents[url.protocol === 'https:' ? 'https:' : 'http:'];
    this.#answers.set(request, answer);
    // http-proxy-3 copies every field of the request; replacing them leaves it nothing of the agent's to copy.
    request.headers = { ...headers, host: url.host };
    this.#proxy.web(request, response, { target: url.href, agent }, (error) => answer.onResponseError?.(controllerOf(undefined), error));
  }

  close(): void {
    this.#proxy.close();
    for (const agent of Object.values(this.#agents)) agent.destroy();
  }
}

function relayTo(answer: Dispatcher.DispatchHandler, upstream: IncomingMessage): void {
  const controller = controllerOf(upstream);
  upstream.on('error', (error) => answer.onResponseError?.(controller, error));
  upstream.on('end', () => answer.onResponseEnd?.(controller, {}));
  answer.onRequestStart?.(controller, {});
  answer.onResponseStart?.(controller, upstream.statusCode ?? 502, upstream.headers);
  upstream.on('data', (chunk: Buffer) => answer.onResponseData?.(controller, chunk));
}

function controllerOf(upstream: IncomingMessage | undefined): Dispatcher.DispatchController {
  return {
    get aborted() {
      return upstream?.destroyed ?? true;
    },
    get paused() {
      return upstream?.isPaused() ?? false;
    },
    get reason() {
      return upstream?.errored ?? null;
    },
    abort: (reason) => void upstream?.destroy(reason),
    pause: () => void upstream?.pause(),
    resume: () => void upstream?.resume(),
  };
}
