import { type Bundle, createPolicyEngine } from '../../extauthz/policy/engine.ts';
import { Latencies } from './load/latencies.ts';
import { GROUP, SERVER } from './mesh/bundle.ts';
import { TOOLS } from './messages.ts';

/** p50 of one evaluation in process, microseconds, with few policies and with a thousand. */
export interface PolicyEvaluation {
  readonly fewP50Us: number;
  readonly manyP50Us: number;
}

const [FEW, MANY] = [10, 1_000];
const EVALUATIONS = 20_000;
const ROUNDS = 4;

/** Evaluates a call that one policy permits by its argument, among policies of other groups and tools. */
export function measurePolicyEvaluation(): PolicyEvaluation {
  const bundles = [bundleOf(FEW), bundleOf(MANY)] as const;
  const latencies = [new Latencies(), new Latencies()] as const;
  // By turns, so that a machine that slows down does not favour one of them. The first round warms up.
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const which of [0, 1] as const) evaluate(bundles[which], round === 0 ? new Latencies() : latencies[which]);
  }
  const [fewP50Us = Number.NaN, manyP50Us = Number.NaN] = latencies.map((each) => each.quantiles([0.5])[0]);
  return { fewP50Us, manyP50Us };
}

function evaluate(bundle: Bundle, latencies: Latencies): void {
  const user = { id: 'bench-user', subject: 'bench-user', issuer: 'https://issuer.example', groups: [GROUP, 'everyone'] };
  const principal = { user, agent: { namespace: 'bench', serviceAccount: 'bench-agent', pod: undefined } };
  for (let serial = 0; serial < EVALUATIONS / ROUNDS; serial += 1) {
    const params = Buffer.from(`{"name":"lookup_checked","arguments":{"query":"1-${serial}"}}`);
    const operation = { action: 'CallTool', target: 'lookup_checked' } as const;
    const beganMs = performance.now();
    const { effect } = bundle.evaluate({ principal, server: SERVER, operation, params, nowMs: 0 });
    latencies.add((performance.now() - beganMs) * 1_000);
    if (effect !== 'allow') throw new Error('a policy evaluation denied what its policy permits');
  }
}

function bundleOf(policies: number): Bundle {
  const others = Array.from({ length: policies - 1 }, (_, index) => {
    const tool = TOOLS[index % TOOLS.length]?.name ?? '';
    const action = index % 2 === 0 ? `action == Action::"${SERVER}/${tool}"` : 'action in Action::"CallTool"';
    return `permit (principal in Group::"team-${index}", ${action}, resource in Server::"${SERVER}") when { context.agent.namespace == "${index}" };`;
  });
  const own = `permit (principal in Group::"${GROUP}", action == Action::"${SERVER}/lookup_checked", resource) when { context.input.query like "1*" };`;
  const files = new Map([
    [`servers/${SERVER}.yaml`, `name: ${SERVER}\nurl: http://127.0.0.1:1/mcp\ntools: ${SERVER}.tools.json\n`],
    [`servers/${SERVER}.tools.json`, JSON.stringify({ tools: TOOLS })],
    ['policies/bench.cedar', [...others, own].join('\n')],
  ]);
  const loaded = createPolicyEngine().load(new Map([...files].map(([path, text]) => [path, Buffer.from(text)])));
  if (!loaded.ok) throw new Error(`the policies do not load: ${loaded.failure[0]?.reason}`);
  return loaded.value;
}
