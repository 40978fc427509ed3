import { randomUUID } from 'node:crypto';
import { createServer, type Socket } from 'node:net';
import { answerJson, INITIALIZED, kindOfTool } from '../messages.ts';
import { ready } from './ready.ts';

/**
 * The MCP server that the benchmark calls: as little HTTP as keeps every gateway content, so that it costs next to nothing itself.
 * Requests come one at a time on a connection, with a `Content-Length`. What it does not understand ends the connection.
 */
const HEAD_END = Buffer.from('\r\n\r\n');

interface Call {
  readonly id: number;
  readonly method: string;
  readonly params?: { readonly name?: string; readonly arguments?: { readonly query?: string }; readonly _meta?: object };
}

const sessions = new Set<string>();

/** The answer to a call, or why there is none. */
function answer(call: Call, sessionId: string | undefined): { readonly json: string } | { readonly fault: string } {
  const { id, method, params } = call;
  const isModern = params?._meta !== undefined;
  if (isModern ? sessionId !== undefined : !sessions.has(sessionId ?? '')) return { fault: `not a session: ${sessionId}` };
  if (method === 'tools/list') return { json: answerJson('list', String(id), '') };
  const kind = kindOfTool(params?.name);
  if (method !== 'tools/call' || kind === undefined) return { fault: `an unknown call: ${method}` };
  return { json: answerJson(kind, String(id), params?.arguments?.query ?? '') };
}

function respond(socket: Socket, json: string, field = ''): void {
  socket.write(`HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n${field}Content-Length: ${json.length}\r\n\r\n${json}`, 'latin1');
}

function openSession(socket: Socket): void {
  const sessionId = randomUUID();
  sessions.add(sessionId);
  respond(socket, INITIALIZED, `Mcp-Session-Id: ${sessionId}\r\n`);
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
    const head = held.toString('latin1', 0, headEnd);
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1]);
    if (Number.isNaN(length)) return fail('a request without Content-Length');
    const end = headEnd + HEAD_END.length + length;
    if (held.length < end) return;
    if (held.length > end) return fail('a second request before the answer to the first');
    const call = JSON.parse(held.toString('latin1', headEnd + HEAD_END.length, end)) as Call;
    held = held.subarray(end);
    if (call.method === 'initialize') return openSession(socket);
    const answered = answer(call, /\r\nmcp-session-id: *([^\r]+)/i.exec(head)?.[1]);
    if ('fault' in answered) return fail(answered.fault);
    respond(socket, answered.json);
  });
}

const server = createServer(serve);
server.listen(0, '127.0.0.1', () => ready(server));
