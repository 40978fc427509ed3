import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Gate } from '../support/gate.ts';
import { assertGoverned } from './sdk/assert-governed.ts';
import type { Root } from './sdk/client-answers.ts';
import { allowed } from './sdk/filesystem-steps.ts';
import type { McpClient } from './sdk/mcp-client.ts';
import { MEMORY_RESOURCES } from './sdk/memory-steps.ts';
import { comparable, type Outcome } from './sdk/outcome.ts';
import { REASONS } from './sdk/policies.ts';
import type { Program } from './sdk/program.ts';
import { type ProgramStep, regular, withLists } from './sdk/program-steps.ts';
import { bridge, filesIn, makePrograms, PROGRAM_NAMES, type ProgramName, renew, startProgramsGate } from './sdk/programs.ts';
import { type ProgramJob, type PythonTranscripts, preparePython, runPython } from './sdk/python-sdk.ts';
import type { SdkClient } from './sdk/sdk-client.ts';
import { type Step, type Transcript, transcribe } from './sdk/transcript.ts';
import { connectV1, connectV1Program } from './sdk/v1-client.ts';
import { connectV2, connectV2Program } from './sdk/v2-client.ts';

const programs = makePrograms();
let gate: Gate;
let pythonPrepared: Promise<string | undefined>;

before(async () => {
  pythonPrepared = preparePython();
  gate = await startProgramsGate(programs);
});

after(async () => {
  await gate?.stop();
  programs.remove();
});

/** One client, on either transport. */
interface Connector {
  readonly title: string;
  program(program: Program, roots: readonly Root[]): Promise<McpClient>;
  http(url: string, token: string, roots: readonly Root[]): Promise<SdkClient>;
}

const v2 = (mode: 'legacy' | 'auto'): Omit<Connector, 'title'> => ({
  program: (program, roots) => connectV2Program(program, mode, roots),
  http: (url, token, roots) => connectV2(url, token, mode, { roots }),
});

const CONNECTORS: readonly Connector[] = [
  { title: 'TypeScript SDK v1', program: connectV1Program, http: (url, token, roots) => connectV1(url, token, { roots }) },
  { title: 'TypeScript SDK v2, legacy', ...v2('legacy') },
  { title: 'TypeScript SDK v2, choosing the era itself', ...v2('auto') },
];

/** How a client reaches a server: itself, over HTTP through the sidecar, or over stdio through the sidecar. */
const GOVERNED = ['the sidecar', 'the sidecar over stdio'] as const;
type Way = 'directly' | (typeof GOVERNED)[number];

async function connect({ program, http }: Connector, way: Way, server: ProgramName, user: string, uris: readonly string[]) {
  const roots = uris.map((uri) => ({ uri, name: 'root' }));
  if (way === 'directly') return program(programs[server].program, roots);
  if (way === 'the sidecar over stdio') return program(await bridge(gate, server, user), roots);
  const client = await http(gate.url(server), await gate.token(user), roots);
  return {
    ...client,
    async close() {
      // Its process ends with the session.
      await client.terminateSession();
      await client.close();
    },
  };
}

const changed = (server: ProgramName): Step<McpClient> => ({
  name: 'files afterwards',
  run: async () => filesIn(programs[server].directory),
});

/** Takes the steps in each way, each time on the same files, and has one test for each. */
function compare(
  title: string,
  plan: { connector: Connector; server: ProgramName; user: string; roots: readonly string[]; steps: readonly Step<McpClient>[] },
): void {
  const { connector, server, user, roots, steps } = plan;
  describe(title, () => {
    const transcripts = new Map<Way, Transcript>();
    before(async () => {
      for (const way of ['directly', ...GOVERNED] as const) {
        renew(programs[server]);
        transcripts.set(way, await transcribe(() => connect(connector, way, server, user, roots), steps));
      }
    });
    for (const step of steps) {
      it(step.name, () => {
        for (const way of GOVERNED) assertGoverned(step, transcripts.get('directly')?.get(step.name), transcripts.get(way)?.get(step.name));
      });
    }
  });
}

/** The tools of a list whose steps change something. */
function toolsOf(steps: readonly ProgramStep[]): ReadonlySet<string> {
  return new Set(steps.flatMap((step) => ('tool' in step ? [step.tool] : [])));
}

/** The reader sees and may call only what reads; the rest has no effect. */
function forReader<C>(server: ProgramName, step: Step<C>): Step<C> {
  const { template, reads, writes } = programs[server];
  const written = toolsOf(writes);
  const taken = [...reads, ...writes].find(({ name }) => name === step.name);
  if (step.name === 'tools/list') return { ...step, governed: (direct) => withoutTools(direct, written) };
  if (step.name === 'files afterwards') {
    return {
      ...step,
      governed(direct) {
        assert.notDeepEqual(direct, filesIn(template), 'these tools do change files');
        return filesIn(template);
      },
    };
  }
  if (taken === undefined || !('tool' in taken)) return step;
  if (written.has(taken.tool)) return { ...step, denied: REASONS.write };
  return taken.tool === 'no_such_tool' ? { ...step, denied: `no policy permits rita to call no_such_tool on ${server}` } : step;
}

function withoutTools(direct: unknown, names: ReadonlySet<string>): unknown {
  const list = direct as { tools: { name: string }[] };
  for (const name of names)
    assert.ok(
      list.tools.some((tool) => tool.name === name),
      `the server has ${name}`,
    );
  return { ...list, tools: list.tools.filter(({ name }) => !names.has(name)) };
}

for (const connector of CONNECTORS) {
  describe(connector.title, () => {
    for (const server of PROGRAM_NAMES) {
      const { surface, reads, writes, roots, directory } = programs[server];
      const more = server === 'memory' ? MEMORY_RESOURCES : [];
      const whole = [...withLists(surface), ...more, changed(server)];
      compare(`${server}: the whole surface`, { connector, server, user: 'alice', roots, steps: whole });
      const restricted = [...withLists([...reads, ...writes]), changed(server)].map((step) => forReader(server, step));
      compare(`${server}: a user who may only read`, { connector, server, user: 'rita', roots: [directory], steps: restricted });
    }
  });
}

describe('the steps', () => {
  for (const server of PROGRAM_NAMES) {
    it(`use every tool of ${server}`, async () => {
      const { program, surface } = programs[server];
      const client = await connectV1Program(program, []);
      const { tools } = (await client.listTools()) as { tools: { name: string }[] };
      await client.close();
      const used = toolsOf(surface);
      assert.deepEqual(
        tools.map(({ name }) => name).filter((name) => !used.has(name)),
        [],
      );
    });
  }
});

const REFUSED = 'a request of the server was refused';

function sidecarLog(): { msg?: string; method?: string }[] {
  const log = readFileSync(join(dirname(gate.bundleDir), 'sidecar.log'), 'utf8');
  return log
    .split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}'))
    .map((line) => JSON.parse(line));
}

describe('a client that policy does not let the server ask', () => {
  for (const way of GOVERNED) {
    it(`is not asked for its roots, by ${way}, and its server keeps to its arguments`, async () => {
      const { directory, template, roots } = programs.filesystem;
      renew(programs.filesystem);
      const [connector] = CONNECTORS;
      assert.ok(connector !== undefined);
      const client = await connect(connector, way, 'filesystem', 'rita', roots);
      const refusals = () => sidecarLog().filter(({ msg, method }) => msg === REFUSED && method === 'roots/list').length;
      const before = refusals();
      await client.sendRootsListChanged();
      const giveUp = AbortSignal.timeout(20_000);
      while (refusals() <= before && !giveUp.aborted) await sleep(50);
      const answer = (await client.callTool('list_allowed_directories')) as { content: { text: string }[] };
      await client.close();
      assert.equal(answer.content[0]?.text, allowed(directory));
      assert.equal(client.answers.timesAskedForRoots, 0);
      assert.ok(refusals() > before, 'the server asked');
      assert.deepEqual(filesIn(directory), filesIn(template));
    });
  }
});

describe('Python SDK', () => {
  const PLANNED = PROGRAM_NAMES.flatMap((server) => [
    { server, user: 'alice', mode: 'legacy', calls: programs[server].surface, roots: programs[server].roots } as const,
    { server, user: 'alice', mode: 'auto', calls: programs[server].surface, roots: programs[server].roots } as const,
    {
      server,
      user: 'rita',
      mode: 'legacy',
      calls: [...programs[server].reads, ...programs[server].writes],
      roots: [programs[server].directory],
    } as const,
  ]);
  let absent: string | undefined;
  let transcripts: PythonTranscripts;

  before(async () => {
    absent = await pythonPrepared;
    if (absent !== undefined) return;
    const jobs = PLANNED.map(async ({ server, user, mode, calls, roots }, index): Promise<readonly ProgramJob[]> => {
      const { program, directory, template } = programs[server];
      const job = { mode, calls, roots, fresh: { directory, template } };
      return [
        { ...job, label: `${index} directly`, program },
        { ...job, label: `${index} the sidecar`, url: gate.url(server), token: await gate.token(user) },
        { ...job, label: `${index} the sidecar over stdio`, program: await bridge(gate, server, user) },
      ];
    });
    transcripts = await runPython((await Promise.all(jobs)).flat());
  });

  for (const [index, { server, user, mode, calls }] of PLANNED.entries()) {
    it(`${server}, ${mode}, as ${user}`, async (t: TestContext) => {
      if (absent !== undefined) {
        t.diagnostic(`NOT TESTED, the Python SDK is absent: ${absent}`);
        return t.skip(`the Python SDK is absent: ${absent}`);
      }
      const of = (way: Way) => transcripts[`${index} ${way}`] ?? {};
      const names = Object.keys(of('directly'));
      assert.ok(names.length > calls.length);
      for (const name of names) {
        const call = calls.find((candidate) => candidate.name === name);
        const outcome = (way: Way) => {
          const plain = comparable(of(way)[name]);
          return (call === undefined ? plain : regular(call, plain)) as Outcome;
        };
        const step = { name, run: async () => undefined, ...(call !== undefined && 'fails' in call && { fails: call.fails }) };
        const expected = user === 'rita' ? forReader(server, step) : step;
        await t.test(name, () => {
          for (const way of GOVERNED) assertGoverned(expected, outcome('directly'), outcome(way));
        });
      }
    });
  }
});
