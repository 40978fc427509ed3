import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { request as httpRequest } from '../runtime/http.ts';
import { LineReader } from './stdio/line-reader.ts';
import { type HttpAnswer, type HttpRequest, StdioClient } from './stdio-client.ts';

const USAGE = `sidegate sidecar stdio <server>: reach a server through the sidecar from a client that only speaks stdio

  --url URL           where the sidecar listens; SIDEGATE_URL, else http://localhost:9400
  --token-file FILE   file with the user's token, read again for each message; else SIDEGATE_USER_TOKEN
`;

/** A longer message would be refused by any sidecar. */
const MAX_LINE_BYTES = 268_435_456;

/** A client may ask and close standard input at once, as a shell's pipe does. Its answers are waited for this long. */
const LAST_ANSWERS_MS = 30_000;

/** Runs until the client has closed standard input and has its answers, or the session ends. */
export async function runStdioCommand(args: string[]): Promise<void> {
  const parsed = readArguments(args);
  if (typeof parsed === 'string') {
    process.stderr.write(parsed === '' ? USAGE : `sidegate sidecar stdio: ${parsed}\n\n${USAGE}`);
    process.exitCode = parsed === '' ? 0 : 2;
    return;
  }
  const { endpoint, tokenFile } = parsed;
  const complain = (text: string) => void process.stderr.write(`sidegate: ${text}\n`);
  const over = Promise.withResolvers<number>();
  const client = new StdioClient({
    send: (request) => send(endpoint, request),
    userToken: () => readToken(tokenFile, complain),
    write: (message) => void process.stdout.write(Buffer.concat([message, Buffer.of(0x0a)])),
    complain,
    onSessionEnd: () => {
      complain('the session has ended');
      over.resolve(1);
    },
  });
  process.stdout.on('error', () => over.resolve(0));
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => over.resolve(0));
  takeLines(client)
    .then(() => client.answered(LAST_ANSWERS_MS))
    .then(
      () => over.resolve(0),
      (error: Error) => {
        complain(error.message);
        over.resolve(1);
      },
    );
  const code = await over.promise;
  await client.close();
  process.exit(code);
}

async function takeLines(client: StdioClient): Promise<void> {
  const reader = new LineReader(MAX_LINE_BYTES);
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    const { lines, oversized } = reader.push(chunk);
    for (const line of lines) await client.take(line);
    if (oversized > 0) throw new Error(`a message is longer than ${MAX_LINE_BYTES} bytes`);
  }
}

/** Returns what is wrong with the arguments as text; an empty one asks for help. */
function readArguments(args: string[]): { readonly endpoint: URL; readonly tokenFile: string | undefined } | string {
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(args);
  } catch (error) {
    return (error as Error).message;
  }
  const { values, positionals } = parsed;
  if (values.help === true) return '';
  const [server, ...others] = positionals;
  if (server === undefined || others.length > 0 || !/^[a-z0-9-]{1,63}$/.test(server)) return 'name one server';
  const base = URL.parse(values.url ?? (process.env['SIDEGATE_URL'] || 'http://localhost:9400'));
  if (base?.protocol !== 'http:') return 'the sidecar’s URL must be an http URL';
  return { endpoint: new URL(`${base.href.replace(/\/+$/, '')}/${server}/mcp`), tokenFile: values['token-file'] };
}

function parse(args: string[]) {
  const options = { url: { type: 'string' }, 'token-file': { type: 'string' }, help: { type: 'boolean', short: 'h' } } as const;
  return parseArgs({ args, options, allowPositionals: true });
}

/** A file that cannot be read leaves the message without a token, which the policy service refuses. */
function readToken(file: string | undefined, complain: (text: string) => void): string | undefined {
  if (file === undefined) return process.env['SIDEGATE_USER_TOKEN'] || undefined;
  try {
    return readFileSync(file, 'utf8').trim() || undefined;
  } catch (error) {
    complain(`cannot read the token file: ${(error as NodeJS.ErrnoException).code}`);
    return undefined;
  }
}

function send(endpoint: URL, { method, headers, body, signal }: HttpRequest): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(endpoint, { method, headers: { ...headers, ...(body && { 'content-length': body.length }) }, signal });
    request.on('error', reject);
    request.on('response', (response) => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: response }));
    request.end(body);
  });
}
