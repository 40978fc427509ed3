import type { StdioCommand } from '../extauthz/api/stdio-command.ts';

/** A registered MCP server, as the policy service told it. */
export interface Route {
  readonly name: string;
  /** The server's MCP endpoint. For a stdio server it is `stdio:<name>`, which no connection leads to. */
  readonly url: URL;
  /** Set for a server that runs as a process of this pod. */
  readonly stdio?: StdioCommand;
  /** Set for a server that speaks the HTTP+SSE transport of 2024-11-05; `url` is that of its stream. */
  readonly usesHttpSse?: true;
  /** What becomes of the server's `instructions`; undefined judges them by what they name. */
  readonly instructions?: 'pass' | 'drop';
  /** Tools that the registry declares. */
  readonly declaredTools?: readonly string[];
}

/** The registered servers; replaced as a whole when the policy service sends a new set. */
export class Routes {
  #byName: ReadonlyMap<string, Route> = new Map();
  #byUrl: ReadonlyMap<string, Route> = new Map();
  #onReplace: (() => void) | undefined;

  /** Has `listener` called whenever the set was replaced. */
  onReplace(listener: () => void): void {
    this.#onReplace = listener;
  }

  replace(routes: readonly Route[]): void {
    this.#byName = new Map(routes.map((route) => [route.name, route]));
    // Two servers at one URL may have different policies; the URL alone does not say which is meant.
    const isAlone = ({ url, usesHttpSse }: Route) =>
      usesHttpSse === undefined && routes.filter((other) => other.url.href === url.href).length === 1;
    this.#byUrl = new Map(routes.filter(isAlone).map((route) => [route.url.href, route]));
    this.#onReplace?.();
  }

  /** The server registered under this name. */
  named(name: string): Route | undefined {
    return this.#byName.get(name);
  }

  get names(): readonly string[] {
    return [...this.#byName.keys()];
  }

  /**
   * Finds the server that a request target names: the path `/<server>/mcp`, or, from a client that uses the sidecar as its HTTP proxy, the
   * server's own URL. It is compared as it was sent: an encoded or dotted form names no server.
   */
  find(target: string): Route | undefined {
    if (target.startsWith('http://')) return this.#byUrl.get(target);
    const match = /^\/([a-z0-9-]+)\/mcp\/?$/.exec(target);
    return match?.[1] === undefined ? undefined : this.#byName.get(match[1]);
  }
}
