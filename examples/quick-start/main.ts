import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { reportBundle } from './bundle-news.ts';
import { demonstrate } from './demonstrate.ts';
import { type Mesh, startMesh } from './mesh.ts';
import { nextSteps, policyServiceCommand } from './next-steps.ts';
import { choosePorts } from './ports.ts';
import { issuerUrl, REPOSITORY } from './processes.ts';
import { claimStateDirectory, refuseSecond, type StateDirectory } from './state-directory.ts';
import { renderOutcome } from './table.ts';

const USAGE = `The quick start: a whole mesh on this machine's loopback, and an agent run in it for two users.

  npm start                      start it, show what happens, stay up until Ctrl-C
  npm start -- --once            end afterwards: code 0 only if everything came out as the bundle says
  npm -s start -- --json         print one JSON document instead of the table (-s keeps npm's own lines out of it)
  npm start -- --ports auto      use free ports instead of 9400, 9401, 9410, 9411 and 9500 to 9503
  npm start -- --sdk v2          run the agent with the SDK's v2 line, which speaks revision 2026-07-28
  npm start -- --state-dir DIR   keep keys, tokens, logs and the working copy of the bundle there instead of in .sidegate/
`;

interface Options {
  readonly once: boolean;
  readonly json: boolean;
  readonly ports: 'usual' | 'auto';
  readonly sdk: 'v1' | 'v2';
  readonly stateDir: string;
}

class UsageError extends Error {
  override readonly name = 'UsageError';
}

function oneOf<const T extends string>(option: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((candidate) => candidate === value);
  if (found === undefined) throw new UsageError(`${option} is ${allowed.join(' or ')}, not "${value}"`);
  return found;
}

function readOptions(args: readonly string[]): Options | 'help' {
  const options = {
    once: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    ports: { type: 'string', default: 'usual' },
    sdk: { type: 'string', default: 'v1' },
    'state-dir': { type: 'string', default: join(REPOSITORY, '.sidegate') },
    help: { type: 'boolean', short: 'h', default: false },
  } as const;
  let values: ReturnType<typeof parseArgs<{ options: typeof options }>>['values'];
  try {
    ({ values } = parseArgs({ args: [...args], options }));
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  if (values.help) return 'help';
  const { once, json } = values;
  return {
    once,
    json,
    ports: oneOf('--ports', values.ports, ['usual', 'auto']),
    sdk: oneOf('--sdk', values.sdk, ['v1', 'v2']),
    stateDir: values['state-dir'],
  };
}

function progress(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Says so when a part ends while somebody plays with the mesh; the policy service is meant to be taken away. */
function reportEnds(mesh: Mesh, state: StateDirectory, stopping: AbortSignal): void {
  for (const child of mesh.children) {
    void child.ended.then((how) => {
      if (stopping.aborted) return;
      const restart = child === mesh.policyService ? `; start it again: ${policyServiceCommand(state)}` : '';
      progress(`${child.name} (pid ${child.pid}) ended: ${how}${restart} [${child.logFile}]`);
    });
  }
}

/** npm runs a script through a shell and passes no signal on: whoever ends `npm start` from outside would leave the mesh running. */
function whenAbandoned(then: () => void): void {
  const parent = process.ppid;
  if (process.env['npm_lifecycle_event'] === undefined) return;
  setInterval(() => {
    if (process.ppid !== parent) then();
  }, 500).unref();
}

/** @returns the exit code. */
async function run(
  options: Options,
  onStop: (stop: () => Promise<void> | void) => void,
  interrupted: Promise<unknown>,
  stopping: AbortSignal,
): Promise<number> {
  const startedAtMs = performance.now();
  // Before the ports, which the other one holds.
  refuseSecond(options.stateDir);
  const ports = await choosePorts(options.ports);
  const state = claimStateDirectory(options.stateDir, issuerUrl(ports));
  const mesh = await startMesh({ ports, state, onStop, progress });
  reportEnds(mesh, state, stopping);
  onStop(reportBundle(mesh.policyService.logFile, progress));
  const outcome = await demonstrate({ mesh, ports, state, sdk: options.sdk, progress }, startedAtMs);
  process.stdout.write(options.json ? `${JSON.stringify(outcome, null, 2)}\n` : renderOutcome(outcome));
  if (options.once) return outcome.ok ? 0 : 1;
  const steps = nextSteps({ ports, state, policyServicePid: mesh.policyService.pid });
  if (options.json) progress(steps);
  else process.stdout.write(steps);
  await interrupted;
  return 0;
}

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  if (options === 'help') {
    process.stdout.write(USAGE);
    return 0;
  }
  const stops: (() => Promise<void> | void)[] = [];
  const stopping = new AbortController();
  const interrupted = new Promise<void>((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => resolve());
    whenAbandoned(resolve);
  });
  try {
    const interruptedEarly = interrupted.then(() => (options.once ? 130 : 0));
    return await Promise.race([run(options, (stop) => stops.push(stop), interrupted, stopping.signal), interruptedEarly]);
  } finally {
    stopping.abort();
    // In reverse, one after the other: agents lose the sidecar before the sidecar loses what it depends on.
    for (const stop of stops.reverse()) await stop();
  }
}

try {
  process.exit(await main());
} catch (error) {
  const { name, message, stack } = error as Error;
  const expected = ['StartupError', 'UsageError', 'SignInError', 'RunError'].includes(name);
  process.stderr.write(`quick start: ${expected ? message : stack}\n`);
  process.exit(name === 'UsageError' ? 2 : 1);
}
