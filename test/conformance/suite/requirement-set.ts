import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import type { Installation } from './installation.ts';

export const REVISIONS = ['2025-11-25', '2026-07-28'] as const;
export type Revision = (typeof REVISIONS)[number];

/** What is under test: a server that the suite calls, or a client that calls the suite. */
export const SIDES = ['server', 'client'] as const;
export type Side = (typeof SIDES)[number];

export interface RequiredScenario {
  readonly name: string;
  /** Why the scenario is run but does not count for conformance; undefined when it counts. */
  readonly notScored: string | undefined;
}

const REQUIREMENTS = z.object({
  server: z.array(z.string()),
  client: z.array(z.string()),
  not_scored: z.array(z.object({ scenario: z.string(), leg: z.enum(SIDES), reason: z.string() })).default([]),
});

/**
 * The scenarios of one side of a requirement set, frozen by the suite when the revision was released.
 * @throws {Error} when the suite has no such set, or one of another form.
 */
export function requiredScenarios({ directory }: Installation, revision: Revision, side: Side): readonly RequiredScenario[] {
  const text = readFileSync(join(directory, 'requirements', `${revision}.yaml`), 'utf8');
  const requirements = REQUIREMENTS.parse(parse(text));
  const scored = requirements[side].map((name) => ({ name, notScored: undefined }));
  const others = requirements.not_scored.filter(({ leg }) => leg === side);
  return [...scored, ...others.map(({ scenario, reason }) => ({ name: scenario, notScored: reason }))];
}
