import type { Bundle } from '../policy/engine.ts';

/** Key of the route's `context_extensions` that names the server. */
export const SERVER_EXTENSION = 'sidegate.server';

/**
 * Which registered server a checked request goes to: the one the route names, else the one whose URL is the request's host and path, query included.
 * @returns an empty name, which no server has, when there is none or more than one.
 */
export function checkedServer(
  { servers }: Bundle,
  extensions: Readonly<Record<string, string>>,
  { host, path }: { readonly host: string; readonly path: string },
): string {
  const named = Object.hasOwn(extensions, SERVER_EXTENSION) ? extensions[SERVER_EXTENSION] : undefined;
  if (named !== undefined) return named;
  const matching = [...servers.values()].filter((entry) => {
    // A stdio server is reached by nothing that a proxy could forward.
    // One of HTTP+SSE is, but what it answers comes on another connection, where nobody would look at it.
    if (entry.transport !== 'streamable-http') return false;
    const { protocol, host: serverHost, pathname, search } = new URL(entry.url);
    // The scheme's default port may be written or not.
    return URL.parse(`${protocol}//${host}`)?.host === serverHost && path === `${pathname}${search}`;
  });
  return matching.length === 1 ? (matching[0]?.name ?? '') : '';
}
