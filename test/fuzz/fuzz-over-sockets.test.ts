import assert from 'node:assert/strict';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { AgentServer } from '../../sidecar/server.ts';

import { createFuzzedSidecar } from './fuzzed-sidecar.ts';
import { ANSWER, answerOf, type GeneratedAnswer } from './generated-answer.ts';
import { type GeneratedRequest, REQUEST, requestOf } from './generated-request.ts';
import { assertJudged } from './judged-as-sent.ts';
import type { Forwarded } from './played-server.ts';
import { Choices } from './random.ts';
import { readLast } from './readers.ts';
import { hasMarker, hasMarkerAcrossLines } from './searched-output.ts';

const MESSAGES = 2_000;
const SEED = Number(process.env['SIDEGATE_FUZZ_SEED'] ?? 1);

const isTold = ({ body }: Forwarded) => body.includes('"error":{"code":4030');

/** The request as it goes over the wire, its body whole or in chunks. */
function wireOf({ method, fields, body }: GeneratedRequest, choices: Choices): Buffer {
  const head = [`${method} /files/mcp HTTP/1.1`, 'connection: close'];
  for (let at = 0; at < fields.length; at += 2) head.push(`${fields[at]}: ${fields[at + 1]}`);
  const isChunked = method === 'POST' && choices.chance(50);
  head.push(isChunked ? 'transfer-encoding: chunked' : `content-length: ${body.length}`);
  const chunks = isChunked ? choices.pieces(body).filter(({ length }) => length > 0) : [];
  const framed = chunks.flatMap((chunk) => [Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n')]);
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), ...(isChunked ? [...framed, Buffer.from('0\r\n\r\n')] : [body])]);
}

/** The bytes in a few pieces, cut anywhere. */
function cut(bytes: Buffer, choices: Choices): Buffer[] {
  const cuts = Array.from({ length: choices.below(6) }, () => choices.below(bytes.length)).sort((a, b) => a - b);
  return [0, ...cuts].map((from, index) => bytes.subarray(from, cuts[index] ?? bytes.length)).filter(({ length }) => length > 0);
}

/** Sends bytes in pieces, each by itself, and gives what comes back until the connection ends. */
function converse(port: number, pieces: readonly Buffer[]): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    socket.on('data', (chunk) => chunks.push(chunk as Buffer));
    socket.on('close', () => resolve(Buffer.concat(chunks)));
    // The sidecar closes the connection when it has refused a message that is not all there; what it said is what counts.
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') reject(error);
    });
    const next = (at: number) => {
      const piece = pieces[at];
      if (piece !== undefined && !socket.destroyed) socket.write(piece, () => setImmediate(next, at + 1));
    };
    socket.on('connect', () => next(0));
  });
}

/** The body of an HTTP/1.1 answer, with its chunks put together. */
function bodyOf(answer: Buffer): Buffer {
  const end = answer.indexOf('\r\n\r\n');
  if (end === -1) return answer;
  const isChunked = /transfer-encoding: chunked/i.test(answer.toString('latin1', 0, end));
  let rest = answer.subarray(end + 4);
  if (!isChunked) return rest;
  const chunks: Buffer[] = [];
  for (let line = rest.indexOf('\r\n'); line !== -1; line = rest.indexOf('\r\n')) {
    const size = Number.parseInt(rest.toString('latin1', 0, line), 16);
    chunks.push(rest.subarray(line + 2, line + 2 + size));
    rest = rest.subarray(line + 2 + size + 2);
  }
  return Buffer.concat(chunks);
}

async function give(response: ServerResponse, { status, headers, pieces }: GeneratedAnswer): Promise<void> {
  response.writeHead(status, { ...headers });
  for (const piece of pieces) {
    if (response.destroyed) return;
    if (!response.write(piece)) await new Promise((resolve) => response.once('drain', resolve).once('close', resolve));
  }
  response.end();
}

test(`${MESSAGES} messages over real connections, cut anywhere`, async () => {
  const forwarded: Forwarded[] = [];
  let answerSpec: Parameters<typeof answerOf>[0] | undefined;
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const one = { headers: request.headers as Record<string, string>, body: Buffer.concat(chunks) };
    if (answerSpec === undefined || isTold(one)) return void response.writeHead(202).end();
    if (request.method === 'POST') forwarded.push(one);
    const { id = null, method } = readLast(one.body.toString() || '{}') as Record<string, unknown>;
    await give(response, answerOf(answerSpec, { method, idJson: JSON.stringify(id) }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`);
  const sidecar = createFuzzedSidecar(url, () => undefined);
  const agents = new AgentServer({ handle: (request, response) => sidecar.pipeline.handle(request, response), receiveTimeoutMs: 30_000 });
  await new Promise<void>((resolve) => agents.server.listen(0, '127.0.0.1', resolve));
  const { port } = agents.server.address() as AddressInfo;
  let passed = 0;
  try {
    await fc.assert(
      fc.asyncProperty(REQUEST, ANSWER, async (request, answer) => {
        forwarded.length = 0;
        sidecar.decider.allowed.length = 0;
        answerSpec = answer;
        const choices = new Choices(request.seed);
        const output = await converse(port, cut(wireOf(requestOf(request), choices), choices));
        assert.match(output.toString('latin1'), /^HTTP\/1\.1 \d{3} /);
        for (const one of forwarded) assertJudged(one, sidecar.decider.allowed);
        passed += forwarded.length;
        const body = bodyOf(output);
        assert.ok(!hasMarker(body), `what is hidden reached the agent: ${body}`);
        assert.ok(!hasMarkerAcrossLines(body), `what is hidden reached the agent across lines: ${body}`);
      }),
      { numRuns: MESSAGES, seed: SEED },
    );
    assert.ok(passed > MESSAGES * 0.3, `${passed} messages reached the server`);
    assert.ok(passed < MESSAGES * 0.7, `${passed} messages reached the server`);
  } finally {
    await agents.drain(1_000);
    await sidecar.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});
