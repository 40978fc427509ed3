import type { Route } from './routes.ts';

/** Servers name one document each; what is more than that is not remembered. */
const MAX_DOCUMENTS = 256;

/**
 * Documents that servers named as their metadata in a challenge: the parameter `resource_metadata` (RFC 9728 section 5.1). A server speaks for its own
 * origin only: where else it may point to, the sidecar does not lead.
 */
export class NamedMetadata {
  readonly #routes = new Map<string, Route>();

  /** The document at this URL, as it was sent; undefined when no server named it. */
  find(href: string): Route | undefined {
    return this.#routes.get(href);
  }

  /** Reads a server's `WWW-Authenticate`. */
  learn(route: Route, challenge: string | readonly string[]): void {
    const fields = typeof challenge === 'string' ? [challenge] : challenge;
    for (const [, text = ''] of fields.flatMap((field) => [...field.matchAll(/\bresource_metadata *= *"([^"\\]*)"/gi)])) {
      const url = URL.parse(text);
      const isOwn = url?.origin === route.url.origin && url.href === text && url.hash === '' && url.username + url.password === '';
      if (isOwn && !this.#routes.has(text) && this.#routes.size < MAX_DOCUMENTS)
        this.#routes.set(text, { ...route, url, isMetadata: true });
    }
  }

  clear(): void {
    this.#routes.clear();
  }
}
