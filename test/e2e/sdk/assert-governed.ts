import assert from 'node:assert/strict';
import type { Outcome } from './outcome.ts';
import type { Step } from './transcript.ts';

export type Expectation = Omit<Step<unknown>, 'name' | 'run'>;

/** Holds what came through the sidecar against what came directly: the same, or what policy makes of it. */
export function assertGoverned(
  { fails, governed: rewritten, denied, refused }: Expectation,
  direct: Outcome | undefined,
  governed: Outcome | undefined,
): void {
  assert.ok(direct !== undefined && governed !== undefined);
  if (fails === undefined) assert.ok('value' in direct, `the server itself: ${JSON.stringify(direct)}`);
  else {
    assert.ok('error' in direct, `the server itself did not fail: ${JSON.stringify(direct)}`);
    const { code, data } = direct.error;
    assert.ok(code === fails || (data as { status?: unknown } | null)?.status === fails, JSON.stringify(direct));
  }
  if (denied !== undefined) return assertDenied(governed, denied);
  if (refused !== undefined) {
    assert.ok('error' in governed, JSON.stringify(governed));
    assert.equal(governed.error.code, fails);
    assert.ok(governed.error.message.endsWith(refused), governed.error.message);
    return;
  }
  assert.deepEqual(governed, rewritten === undefined || !('value' in direct) ? direct : { value: rewritten(direct.value) });
}

/** What a denial looks like in the hands of an SDK's caller. */
function assertDenied(outcome: Outcome, reason: string): void {
  assert.ok('error' in outcome, `not denied: ${JSON.stringify(outcome)}`);
  const { code, message, data } = outcome.error;
  assert.equal(code, 4030, JSON.stringify(outcome));
  assert.ok(message.endsWith(reason), message);
  const { sidegate } = data as { sidegate: Record<string, string> };
  assert.deepEqual(Object.keys(sidegate).sort(), ['decisionId', 'reason', 'revision']);
  assert.equal(sidegate['reason'], reason);
  for (const [key, value] of Object.entries(sidegate)) assert.ok(value.length > 0, `${key} is empty`);
}
