import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { ProgramStep } from './program-steps.ts';

/** Makes a directory, as it is before the first step. */
export function makeFiles(directory: string): void {
  mkdirSync(join(directory, 'nested/deep'), { recursive: true });
  writeFileSync(join(directory, 'notes.txt'), 'one\ntwo ünïcödé 𝕊\nthree\nfour\n');
  writeFileSync(join(directory, 'nested/data.bin'), Buffer.from([0, 1, 2, 253, 254, 255]));
  writeFileSync(join(directory, 'nested/deep/pixel.png'), Buffer.from('89504e470d0a1a0a', 'hex'));
  writeFileSync(join(directory, 'nested/deep/skipped.txt'), 'skipped');
  // Nothing here leads into a directory outside, where whoever walks through it would never end.
  writeFileSync(join(directory, '../outside.txt'), 'outside');
  mkdirSync(join(directory, 'links'));
  symlinkSync(join(directory, '../outside.txt'), join(directory, 'links/out.txt'));
}

export function allowed(...directories: string[]): string {
  return `Allowed directories:\n${directories.join('\n')}`;
}

/** Tools that change nothing, and mistakes. */
export function filesystemReads(directory: string): readonly ProgramStep[] {
  const at = (name: string) => join(directory, name);
  const call = (tool: string, args: Record<string, unknown>, remark = '') => ({ name: `${tool}${remark}`, tool, args });
  return [
    call('read_file', { path: at('notes.txt') }),
    call('read_text_file', { path: at('notes.txt') }),
    call('read_text_file', { path: at('notes.txt'), head: 2 }, ': its head'),
    call('read_text_file', { path: at('notes.txt'), tail: 2 }, ': its tail'),
    call('read_text_file', { path: at('notes.txt'), head: 1, tail: 1 }, ': both, which it refuses'),
    call('read_media_file', { path: at('nested/deep/pixel.png') }, ': an image'),
    call('read_media_file', { path: at('nested/data.bin') }, ': a blob'),
    call('read_multiple_files', { paths: [at('notes.txt'), at('absent.txt'), at('nested/deep/skipped.txt')] }),
    { ...call('list_directory', { path: directory }), isUnordered: true },
    call('list_directory_with_sizes', { path: directory, sortBy: 'name' }),
    { ...call('directory_tree', { path: directory, excludePatterns: ['skipped.txt'] }), isUnordered: true },
    { ...call('search_files', { path: directory, pattern: '**/*.txt', excludePatterns: ['nested/deep/**'] }), isUnordered: true },
    call('get_file_info', { path: at('notes.txt') }),
    call('read_text_file', { path: at('absent.txt') }, ' of a file that is absent'),
    call('read_text_file', { path: `${directory}/nested/../../outside.txt` }, ' outside'),
    call('read_text_file', { path: at('links/out.txt') }, ' outside, by a link'),
    call('read_text_file', {}, ' without its argument'),
    call('read_text_file', { path: 7 }, ' of a number'),
    call('no_such_tool', { path: at('notes.txt') }),
    { name: 'resources/read, which it has not', read: 'file:///notes.txt', fails: -32601 },
  ];
}

/** Tools that change files. */
export function filesystemWrites(directory: string): readonly ProgramStep[] {
  const at = (name: string) => join(directory, name);
  const call = (tool: string, args: Record<string, unknown>, remark = '') => ({ name: `${tool}${remark}`, tool, args });
  const edits = [{ oldText: 'two ünïcödé 𝕊', newText: 'zwei "quoted"\\' }];
  return [
    call('edit_file', { path: at('notes.txt'), edits, dryRun: true }, ': rehearsed'),
    call('edit_file', { path: at('notes.txt'), edits }),
    call('edit_file', { path: at('notes.txt'), edits }, ': what is no longer there'),
    call('create_directory', { path: at('made/deeper') }),
    call('write_file', { path: at('made/new.txt'), content: 'new\u2028 "text"\n' }),
    call('write_file', { path: at('notes.txt'), content: 'overwritten' }, ': over another'),
    call('write_file', { path: '/proc/sidegate', content: '' }, ' outside'),
    call('move_file', { source: at('made/new.txt'), destination: at('nested/moved.txt') }),
    call('move_file', { source: at('notes.txt'), destination: at('nested/moved.txt') }, ': onto another, which it refuses'),
  ];
}

/** The whole surface. The server takes the client's roots in place of its arguments. */
export function filesystemSurface(directory: string): readonly ProgramStep[] {
  const nested = join(directory, 'nested');
  const list = { tool: 'list_allowed_directories', args: {} };
  return [
    { ...list, name: 'roots: the server asks for them', untilText: allowed(directory, nested) },
    ...filesystemReads(directory),
    ...filesystemWrites(directory),
    { ...list, name: 'roots: it asks again when they change', roots: [pathToFileURL(nested).href], untilText: allowed(nested) },
    { name: 'roots: what is outside now is refused', tool: 'read_text_file', args: { path: join(directory, 'notes.txt') } },
    { name: 'roots: what is inside still is not', tool: 'read_text_file', args: { path: join(nested, 'moved.txt') } },
  ];
}
