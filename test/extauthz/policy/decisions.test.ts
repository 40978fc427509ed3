import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import type { Verdict } from '../../../extauthz/api/decision.ts';
import type { Action } from '../../../extauthz/api/operation.ts';
import type { BundleData } from './bundle-files.ts';
import { loadBundle, principalOf } from './load-bundle.ts';

interface Who {
  readonly user: string;
  readonly groups?: readonly string[];
  readonly agent?: string;
}
interface Ask {
  readonly server: string;
  readonly action?: Action;
  readonly target?: string;
  /** Tool arguments, or the whole params as raw text. */
  readonly arguments?: unknown;
  readonly params?: string;
  readonly names?: readonly string[];
}
interface Case<Want> {
  readonly name: string;
  readonly as?: Who;
  readonly now?: string;
  readonly ask: Ask;
  readonly want: Want;
}
interface CaseFile {
  readonly description: string;
  readonly bundle: BundleData;
  readonly cases: readonly Case<Partial<Verdict>>[];
  readonly lists?: readonly Case<readonly boolean[]>[];
  readonly groups?: readonly { readonly user: string; readonly token: readonly string[]; readonly want: readonly string[] }[];
}

const FOLDER = new URL('../../cases/policy/decisions/', import.meta.url);
const NOW = '2026-01-01T00:00:00Z';

for (const file of readdirSync(FOLDER)) {
  const {
    description,
    bundle: data,
    cases,
    lists = [],
    groups = [],
  } = parse(readFileSync(new URL(file, FOLDER), 'utf8'), {
    merge: true,
  }) as CaseFile;
  describe(description, () => {
    const bundle = loadBundle(data);
    for (const { name, as, now = NOW, ask, want } of cases) {
      test(name, () => {
        const verdict = bundle.evaluate({
          principal: principal(as),
          server: ask.server,
          operation: { action: ask.action ?? 'CallTool', target: ask.target ?? '' },
          params: paramsOf(ask),
          nowMs: Date.parse(now),
        });
        assert.deepEqual(only(verdict, want), want);
        assert.equal(verdict.code === undefined, verdict.effect === 'allow');
        assert.equal(verdict.reason === '', verdict.effect === 'allow');
      });
    }
    for (const { name, as, now = NOW, ask, want } of lists) {
      test(`list: ${name}`, () => {
        const question = {
          principal: principal(as),
          server: ask.server,
          action: ask.action ?? ('CallTool' as const),
          names: ask.names ?? [],
        };
        assert.deepEqual(bundle.visible({ ...question, nowMs: Date.parse(now) }), want);
      });
    }
    for (const { user, token, want } of groups) {
      test(`groups of ${user} with [${token}]`, () => {
        assert.deepEqual(bundle.groupsOf(user, token, principalOf(user).agent), want);
      });
    }
  });
}

function principal({ user, groups, agent }: Who = { user: 'somebody' }) {
  return principalOf(user, groups, agent);
}

function paramsOf(ask: Ask): Uint8Array {
  if (ask.params !== undefined) return Buffer.from(ask.params);
  return Buffer.from(JSON.stringify({ name: ask.target, arguments: 'arguments' in ask ? ask.arguments : undefined }));
}

/** The parts of the verdict that the case says something about. */
function only(verdict: Verdict, want: Partial<Verdict>): Partial<Verdict> {
  return Object.fromEntries(Object.keys(want).map((key) => [key, verdict[key as keyof Verdict]]));
}
