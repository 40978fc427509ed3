import { cpSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { REPOSITORY } from '../../../examples/quick-start/processes.ts';
import { type Gate, startGate } from '../../support/gate.ts';
import { nodeServer } from '../stdio/stdio-bundle.ts';
import { filesystemReads, filesystemSurface, filesystemWrites, makeFiles } from './filesystem-steps.ts';
import { MEMORY_READS, MEMORY_SURFACE, MEMORY_WRITES, makeMemory } from './memory-steps.ts';
import { READER_POLICIES } from './policies.ts';
import type { Program } from './program.ts';
import type { ProgramStep } from './program-steps.ts';
import { connectV1Program } from './v1-client.ts';

const PACKAGES = join(REPOSITORY, 'node_modules/@modelcontextprotocol');

/** The reference servers that are programs only. */
export const PROGRAM_NAMES = ['filesystem', 'memory'] as const;
export type ProgramName = (typeof PROGRAM_NAMES)[number];

/** A reference server, and what is done with it. */
export interface ReferenceProgram {
  readonly program: Program;
  /** What it works on. A step says where in it. */
  readonly directory: string;
  readonly template: string;
  /** The roots that clients have at first: with them the server may do what its arguments let it do. */
  readonly roots: readonly string[];
  readonly surface: readonly ProgramStep[];
  readonly reads: readonly ProgramStep[];
  readonly writes: readonly ProgramStep[];
}

/** The programs, and the directories they work on, which exist from now on. */
export interface ReferencePrograms extends Readonly<Record<ProgramName, ReferenceProgram>> {
  remove(): void;
}

export function makePrograms(): ReferencePrograms {
  const home = realpathSync(mkdtempSync(join(tmpdir(), 'sidegate-programs-')));
  const [files, filesTemplate] = [join(home, 'files'), join(home, 'files-template')];
  const [memory, memoryTemplate] = [join(home, 'memory'), join(home, 'memory-template')];
  makeFiles(filesTemplate);
  makeMemory(memoryTemplate);
  const nodeProgram = (name: ProgramName, args: string[], env: Record<string, string>): Program => ({
    command: process.execPath,
    args: [join(PACKAGES, `server-${name}/dist/index.js`), ...args],
    env,
  });
  return {
    filesystem: {
      program: nodeProgram('filesystem', [files], {}),
      directory: files,
      template: filesTemplate,
      roots: [files, join(files, 'nested')].map((path) => pathToFileURL(path).href),
      surface: filesystemSurface(files),
      reads: filesystemReads(files),
      writes: filesystemWrites(files),
    },
    memory: {
      program: nodeProgram('memory', [], { MEMORY_FILE_PATH: join(memory, 'memory.jsonl') }),
      directory: memory,
      template: memoryTemplate,
      roots: [],
      surface: MEMORY_SURFACE,
      reads: MEMORY_READS,
      writes: MEMORY_WRITES,
    },
    remove: () => rmSync(home, { recursive: true, force: true }),
  };
}

/** Makes the directory of a program what it is before the first step. */
export function renew({ directory, template }: ReferenceProgram): void {
  rmSync(directory, { recursive: true, force: true });
  cpSync(template, directory, { recursive: true, verbatimSymlinks: true });
}

/** Every file below a directory, with its bytes as characters. */
export function filesIn(directory: string): Record<string, string> {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map(({ parentPath, name }) => join(parentPath, name)).sort();
  return Object.fromEntries(paths.map((path) => [relative(directory, path), readFileSync(path, 'latin1')]));
}

/** A sidecar that runs the programs, whose tools are declared as they themselves list them. */
export async function startProgramsGate(programs: ReferencePrograms): Promise<Gate> {
  const files: Record<string, string> = {};
  for (const name of PROGRAM_NAMES) {
    const { program } = programs[name];
    renew(programs[name]);
    const client = await connectV1Program(program, []);
    files[`servers/${name}.tools.json`] = JSON.stringify(await client.listTools());
    await client.close();
    files[`servers/${name}.yaml`] = nodeServer(name, program.args, { env: program.env, tools: `${name}.tools.json` });
  }
  return startGate({
    servers: {},
    policies: READER_POLICIES,
    files,
    sidecarEnv: { SIDEGATE_STDIO_COMMANDS: process.execPath, SIDEGATE_STDIO_MAX_PROCESSES: '40' },
  });
}

/** The sidecar as a program, for clients that speak only stdio. */
export async function bridge(gate: Gate, server: ProgramName, user: string): Promise<Program> {
  return {
    command: process.execPath,
    args: [join(REPOSITORY, 'bin/sidegate.ts'), 'sidecar', 'stdio', server, '--url', `http://localhost:${gate.port}`],
    env: { SIDEGATE_USER_TOKEN: await gate.token(user) },
  };
}
