import type { Verdict } from './api/decision.ts';
import { TASK_METHODS } from './api/operation.ts';
import type { Bundle } from './policy/engine.ts';
import type { Question } from './policy/evaluate.ts';

const NO_PARAMS = new Uint8Array(0);

/**
 * Decides a request about a task. A task is a call that goes on, so its tool decides: what `tools/call` would never allow now, no request about
 * the task gives either. Beyond that these requests need no permit of their own, but a `forbid` on the method wins.
 *
 * @param asked the method, as the operation `SendMethod`
 * @param tool the tool that made the task; undefined asks whether there may be requests of this method at all
 */
export function taskVerdict(bundle: Bundle, asked: Question, tool: string | undefined): Verdict {
  const sending = bundle.evaluate(asked);
  const needsNoPermit = sending.code === 'not_permitted' && TASK_METHODS.has(asked.operation.target);
  if (sending.effect !== 'allow' && !needsNoPermit) return sending;
  const connecting = bundle.evaluate({ ...asked, operation: { action: 'Connect', target: '' }, params: NO_PARAMS });
  const time = sending.vary.time || connecting.vary.time;
  if (connecting.effect !== 'allow' || tool === undefined) return { ...connecting, vary: { arguments: false, time } };
  const vary = { arguments: false, time: time || bundle.readsTime };
  const { principal, server, nowMs } = asked;
  const [shown] = bundle.visible({ principal, server, action: 'CallTool', names: [tool], nowMs });
  return shown === true ? { ...connecting, vary } : { ...hiddenTool(bundle, asked, tool), vary };
}

/** Why the tool cannot be called, in policy's own words where it has them without looking at arguments. */
function hiddenTool(bundle: Bundle, asked: Question, tool: string): Verdict {
  const calling = bundle.evaluate({ ...asked, operation: { action: 'CallTool', target: tool }, params: NO_PARAMS });
  if (calling.effect === 'deny' && calling.code !== 'invalid_arguments') return calling;
  return {
    effect: 'deny',
    code: 'not_permitted',
    reason: 'the tool that made this task may not be called any more',
    policies: [],
    wouldDeny: [],
    vary: calling.vary,
  };
}
