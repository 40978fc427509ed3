/** A registered MCP server, as the policy service told it. */
export interface Route {
  readonly name: string;
  /** The server's MCP endpoint. */
  readonly url: URL;
}

/** The registered servers; replaced as a whole when the policy service sends a new set. */
export class Routes {
  #byName: ReadonlyMap<string, Route> = new Map();

  replace(routes: readonly Route[]): void {
    this.#byName = new Map(routes.map((route) => [route.name, route]));
  }

  get names(): readonly string[] {
    return [...this.#byName.keys()];
  }

  /**
   * Finds the server that a request path names: `/<server>/mcp`, and nothing else.
   * The path is compared as it was sent: an encoded or dotted form names no server.
   */
  find(path: string): Route | undefined {
    const match = /^\/([a-z0-9-]+)\/mcp\/?$/.exec(path);
    return match?.[1] === undefined ? undefined : this.#byName.get(match[1]);
  }
}
