/** A stdio server without an SDK, which writes whatever the called tool says, right or wrong. Run as a program. */
import { createInterface } from 'node:readline';

interface Message {
  readonly id?: number | string;
  readonly method?: string;
  readonly params?: { readonly name?: string; readonly arguments?: Record<string, unknown> };
}

const TOOLS = ['env', 'garbage', 'huge', 'twice', 'doubled-key', 'carriage-return', 'crash', 'silent', 'pid', 'stubborn', 'vault'];

const write = (text: string) => void process.stdout.write(`${text}\n`);
const result = (id: unknown, value: unknown) => JSON.stringify({ jsonrpc: '2.0', id, result: value });
const text = (value: unknown) => ({ content: [{ type: 'text', text: typeof value === 'string' ? value : JSON.stringify(value) }] });

function call(id: number | string, name: string, args: Record<string, unknown>): void {
  switch (name) {
    case 'env':
      return write(result(id, text({ env: process.env, args: process.argv.slice(2), cwd: process.cwd() })));
    case 'garbage':
      for (const line of [
        'Listening on stdio...',
        '{"jsonrpc":"2.0"',
        '[1,2]',
        '"text"',
        '{"jsonrpc":"1.0","id":1,"result":{}}',
        '\u0000\u0001',
        '',
      ])
        write(line);
      process.stdout.write(Buffer.from([0xff, 0xfe, 0x0a]));
      write(result(999_999, text('an answer to nobody')));
      write(result('1', text('an answer to somebody else')));
      return write(result(id, text('after garbage')));
    case 'huge':
      return write(result(id, text('x'.repeat(200_000))));
    case 'twice':
      write(result(id, text('first')));
      return write(result(id, text('second')));
    case 'doubled-key':
      return write(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":{"content":[],"content":[{"type":"text","text":"hidden"}]}}`);
    case 'carriage-return':
      return write(`{"jsonrpc":"2.0",\r"id":${JSON.stringify(id)},\r"result":${JSON.stringify(text('a\rb'))}}`);
    case 'crash':
      process.stderr.write('about to crash\n');
      process.exit(3);
      break;
    case 'silent':
      return;
    case 'stubborn':
      process.on('SIGTERM', () => {});
      setInterval(() => {}, 1_000);
      return write(result(id, text('I stay')));
    default:
      return write(result(id, text({ pid: process.pid, args })));
  }
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params } = JSON.parse(line) as Message;
  if (id === undefined || method === undefined) return;
  switch (method) {
    case 'initialize':
      return write(result(id, { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'raw', version: '1' } }));
    case 'tools/list':
      return write(result(id, { tools: TOOLS.map((name) => ({ name, inputSchema: { type: 'object' } })) }));
    case 'tools/call':
      return call(id, params?.name ?? '', params?.arguments ?? {});
    default:
      return write(JSON.stringify({ jsonrpc: '2.0', id, error: { code: -32601, message: 'Method not found' } }));
  }
});
