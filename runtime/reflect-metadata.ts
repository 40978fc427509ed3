/**
 * `@peculiar/x509` finds its algorithm providers through the container `tsyringe`, which refuses to load without the three functions of the
 * metadata proposal below. Nothing here uses decorators, so this is all of the proposal that it needs. Import it before `@peculiar/x509`.
 */
const metadata = new WeakMap<object, Map<unknown, unknown>>();

function getMetadata(key: unknown, target: object): unknown {
  for (let owner: object | null = target; owner !== null; owner = Object.getPrototypeOf(owner) as object | null) {
    const own = metadata.get(owner);
    if (own?.has(key)) return own.get(key);
  }
  return undefined;
}

function getOwnMetadata(key: unknown, target: object): unknown {
  return metadata.get(target)?.get(key);
}

function defineMetadata(key: unknown, value: unknown, target: object): void {
  const own = metadata.get(target) ?? new Map<unknown, unknown>();
  metadata.set(target, own.set(key, value));
}

// Whoever loaded a whole implementation first keeps it.
if (!('getMetadata' in Reflect)) Object.assign(Reflect, { getMetadata, getOwnMetadata, defineMetadata });
