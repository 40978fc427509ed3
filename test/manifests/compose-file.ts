import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { z } from 'zod';

export const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url));

const service = z.looseObject({
  image: z.string(),
  build: z.object({ context: z.string(), target: z.string() }).optional(),
  command: z.array(z.string()).default([]),
  environment: z.record(z.string(), z.string()).default({}),
  volumes: z.array(z.string()).default([]),
  ports: z.array(z.string()).default([]),
  network_mode: z.string().optional(),
  user: z.string().optional(),
  cap_drop: z.array(z.string()).default([]),
  security_opt: z.array(z.string()).default([]),
  read_only: z.boolean().default(false),
  privileged: z.boolean().default(false),
  depends_on: z
    .union([
      z.array(z.string()).transform((names) => Object.fromEntries(names.map((name) => [name, {}]))),
      z.record(z.string(), z.unknown()),
    ])
    .default({}),
});

const composeFile = z.looseObject({ services: z.record(z.string(), service), volumes: z.record(z.string(), z.unknown()) });

export type ComposeService = z.infer<typeof service>;
export type ComposeFile = z.infer<typeof composeFile>;

export function readComposeFile(): ComposeFile {
  return composeFile.parse(parse(readFileSync(`${REPOSITORY}docker-compose.yml`, 'utf8'), { merge: true }));
}

/** `./examples/bundle:/bundle:ro` or `policy:/prepared/policy`. */
export function mountsOf({ volumes }: ComposeService): { readonly source: string; readonly target: string; readonly readOnly: boolean }[] {
  return volumes.map((volume) => {
    const [source = '', target = '', mode] = volume.split(':');
    return { source, target, readOnly: mode === 'ro' };
  });
}
