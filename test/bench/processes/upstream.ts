import { createServer, type Socket } from 'node:net';
import { answerJson, kindOfTool } from '../messages.ts';
import { ready } from './ready.ts';

/**
 * The MCP server that the benchmark calls: as little HTTP as keeps every gateway content, so that it costs next to nothing itself.
 * Requests come one at a time on a connection, with a `Content-Length`. What it does not understand ends the connection.
 */
const HEAD_END = Buffer.from('\r\n\r\n');

interface Call {
  readonly id: number;
  readonly method: string;
  readonly params?: { readonly name?: string; readonly arguments?: { readonly query?: string } };
}

function answer(body: string): string | undefined {
  const { id, method, params } = JSON.parse(body) as Call;
  if (method === 'tools/list') return answerJson('list', String(id), '');
  const kind = kindOfTool(params?.name);
  return method !== 'tools/call' || kind === undefined ? undefined : answerJson(kind, String(id), params?.arguments?.query ?? '');
}

function serve(socket: Socket): void {
  let held: Buffer = Buffer.alloc(0);
  const fail = (why: string): void => {
    process.stderr.write(`upstream: ${why}\n`);
    socket.destroy();
  };
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: Buffer) => {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    const headEnd = held.indexOf(HEAD_END);
    if (headEnd < 0) return;
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(held.toString('latin1', 0, headEnd))?.[1]);
    if (Number.isNaN(length)) return fail('a request without Content-Length');
    const end = headEnd + HEAD_END.length + length;
    if (held.length < end) return;
    if (held.length > end) return fail('a second request before the answer to the first');
    const json = answer(held.toString('latin1', headEnd + HEAD_END.length, end));
    held = held.subarray(end);
    if (json === undefined) return fail('an unknown call');
    socket.write(`HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${json.length}\r\n\r\n${json}`, 'latin1');
  });
}

const server = createServer(serve);
server.listen(0, '127.0.0.1', () => ready(server));
