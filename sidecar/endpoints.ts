/** An endpoint at which more than one server is reached. */
export interface Endpoint {
  readonly path: string;
  /** Set where only a view is shown. */
  readonly view?: View;
}

/** A view of the bundle's: the tools that it shows, by server. */
export interface View {
  readonly name: string;
  readonly tools: ReadonlyMap<string, ReadonlySet<string>>;
}

/** What a request target names: the endpoint of all servers, a view's, or something else. */
export type EndpointTarget = { readonly kind: 'all' } | { readonly kind: 'view'; readonly name: string };

/** Compared as it was sent: an encoded or dotted form names nothing. A server's path (`/<server>/mcp`) never reads like one of these. */
export function endpointTarget(target: string): EndpointTarget | undefined {
  if (target === '/mcp' || target === '/mcp/') return { kind: 'all' };
  const name = /^\/views\/([a-z0-9-]+)\/mcp\/?$/.exec(target)?.[1];
  return name === undefined ? undefined : { kind: 'view', name };
}

/** The views of the bundle; replaced as a whole when the policy service sends a new set. */
export class Views {
  #byName: ReadonlyMap<string, View> = new Map();

  replace(views: readonly View[]): void {
    this.#byName = new Map(views.map((view) => [view.name, view]));
  }

  find(target: EndpointTarget): Endpoint | undefined {
    if (target.kind === 'all') return { path: '/mcp' };
    const view = this.#byName.get(target.name);
    return view && { path: `/views/${target.name}/mcp`, view };
  }
}

/** The servers that an endpoint shows, in the order in which they are merged. */
export function serversOf({ view }: Endpoint, names: readonly string[]): readonly string[] {
  return names.filter((server) => view === undefined || view.tools.has(server)).sort();
}

/** Whether an endpoint shows a tool. A view never grants one: policy decides about the call as about any other. */
export function showsTool({ view }: Endpoint, server: string, tool: string): boolean {
  return view === undefined || view.tools.get(server)?.has(tool) === true;
}
