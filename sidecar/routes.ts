import type { StdioCommand } from '../extauthz/api/stdio-command.ts';
import type { Era } from './mcp/protocol-version.ts';
import { NamedMetadata } from './named-metadata.ts';

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
  /** Set for a server that authorizes agents itself: it is reached under its own URL, and the agent's `Authorization` is for it. */
  readonly agentCredential?: true;
  /** Set when `url` is that of the document which says who authorizes agents at the server (RFC 9728), in place of its endpoint's. */
  readonly isMetadata?: true;
  /** The only era that the server speaks; messages of the other one are translated. Undefined: nothing is. */
  readonly bridgeTo?: Era;
}

/** Whether what the agent shows to its server goes there, and the server's challenge comes back. */
export function keepsCredential({ agentCredential, isMetadata }: Route): boolean {
  return agentCredential === true && isMetadata !== true;
}

/** The registered servers; replaced as a whole when the policy service sends a new set. */
export class Routes {
  #byName: ReadonlyMap<string, Route> = new Map();
  #byUrl: ReadonlyMap<string, Route> = new Map();
  readonly #named = new NamedMetadata();
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
    const captured = routes.filter(isAlone);
    const documents = captured.filter(keepsCredential).flatMap(metadataRoutes);
    const isOfOne = ({ url }: Route) => documents.filter((other) => other.url.href === url.href).length === 1;
    this.#byUrl = new Map([...documents.filter(isOfOne), ...captured].map((route) => [route.url.href, route]));
    this.#named.clear();
    this.#onReplace?.();
  }

  /** The server registered under this name. */
  named(name: string): Route | undefined {
    return this.#byName.get(name);
  }

  get names(): readonly string[] {
    return [...this.#byName.keys()];
  }

  /** Takes note of where a server says its metadata lies. */
  challenged(route: Route, challenge: string | readonly string[]): void {
    this.#named.learn(route, challenge);
  }

  /**
   * Finds the server that a request target names: the path `/<server>/mcp`, or, from a client that uses the sidecar as its HTTP proxy, the
   * server's own URL, or that of its metadata if agents need it. It is compared as it was sent: an encoded or dotted form names no server.
   */
  find(target: string): Route | undefined {
    if (/^https?:\/\//.test(target)) return this.#byUrl.get(target) ?? this.#named.find(target);
    const match = /^\/([a-z0-9-]+)\/mcp\/?$/.exec(target);
    return match?.[1] === undefined ? undefined : this.#byName.get(match[1]);
  }
}

/** Where the metadata of a server may lie (RFC 9728 section 3.1): below the well-known path, and at that path itself, where clients look next. */
function metadataRoutes(route: Route): Route[] {
  const { origin, pathname, search } = route.url;
  const root = `${origin}/.well-known/oauth-protected-resource`;
  const path = pathname === '/' ? '' : pathname;
  const places = new Set([root, `${root}${path}${search}`, `${root}${path.replace(/\/$/, '')}${search}`]);
  return [...places].map((place) => ({ ...route, url: new URL(place), isMetadata: true }));
}
