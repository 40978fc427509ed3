/** A bundle as test data: paths to text, or to a value that is written as JSON. */
export type BundleData = Readonly<Record<string, unknown>>;

export function bundleFiles(data: BundleData): Map<string, Uint8Array> {
  return new Map(Object.entries(data).map(([path, content]) => [path, Buffer.from(asText(content))]));
}

function asText(content: unknown): string {
  return typeof content === 'string' ? content : JSON.stringify(content);
}
