import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const REPOSITORY = join(import.meta.dirname, '../../..');
export const EVERYTHING = join(REPOSITORY, 'node_modules/@modelcontextprotocol/server-everything/dist/index.js');

export const RAW_SERVER = join(import.meta.dirname, 'raw-server.ts');
export const MODERN_SERVER = join(import.meta.dirname, 'modern-server.ts');

/** A registry file for a program that this Node runs. JSON is YAML. */
export function nodeServer(name: string, args: readonly string[], more: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({ name, transport: 'stdio', command: process.execPath, args, ...more });
}

/** The reference server, one on the current SDK and one that misbehaves, all as programs. */
export const STDIO_FILES: Readonly<Record<string, string>> = {
  'servers/everything.yaml': nodeServer('everything', [EVERYTHING, 'stdio'], { tools: 'everything.tools.json' }),
  'servers/everything.tools.json': readFileSync(join(REPOSITORY, 'examples/bundle/servers/everything.tools.json'), 'utf8'),
  'servers/modern.yaml': nodeServer('modern', [MODERN_SERVER]),
  'servers/raw.yaml': nodeServer('raw', [RAW_SERVER, '; touch /tmp/sidegate-injected', '$(id)', '`id`', 'a b'], {
    env: { GREETING: '$(id) "x"' },
  }),
  'servers/other.yaml': JSON.stringify({ name: 'other', transport: 'stdio', command: '/bin/cat' }),
  'servers/absent.yaml': JSON.stringify({ name: 'absent', transport: 'stdio', command: '/nonexistent/server' }),
  'servers/dying.yaml': nodeServer('dying', ['--eval', 'process.exit(7)']),
};

export const STDIO_COMMANDS = `${process.execPath},/nonexistent/server`;
