import { idJson, parseJsonRpc } from '../../extauthz/api/json-rpc.ts';
import { fail, ok, type Result } from '../../extauthz/api/result.ts';
import { parseStrictDocument } from '../../extauthz/api/strict-json.ts';

/** One element of a batch. */
export interface BatchElement {
  /** The very bytes of the element. */
  readonly bytes: Uint8Array;
  /** Whether it is to be answered: a request, and what cannot be read as a message (JSON-RPC 2.0 section 6). */
  readonly isAnswered: boolean;
  /** The request's id as it was sent; undefined when it has none that could be read. */
  readonly idJson: string | undefined;
}

/** The only revision that has batches (2025-03-26, Base Protocol, Batching). Its clients do not send the version header yet. */
const VERSION_WITH_BATCHES = '2025-03-26';
/** Each element is a request of its own to the server. */
const MAX_ELEMENTS = 100;

const SPACE = /[ \t\r\n]/;
const OPEN_BRACKET = 0x5b;

/** Whether a body is an array, from a client whose revision may have batches. */
export function isBatch(body: Uint8Array, versionField: string | undefined): boolean {
  if (versionField !== undefined && versionField !== VERSION_WITH_BATCHES) return false;
  let at = 0;
  while (at < body.length && SPACE.test(String.fromCharCode(body[at] as number))) at += 1;
  return body[at] === OPEN_BRACKET;
}

/** Takes a batch apart. The failure is a phrase for the sender; it holds nothing from the batch. */
export function readBatch(body: Uint8Array): Result<readonly BatchElement[], string> {
  const document = parseStrictDocument(body, 1);
  if (!document.ok) return fail(`${document.failure.detail} (byte ${document.failure.offset})`);
  const { value, structure } = document.value;
  if (!Array.isArray(value)) throw new TypeError('not a batch');
  if (value.length === 0) return fail('a batch must not be empty');
  if (value.some(Array.isArray)) return fail('a batch must not hold another');
  if (value.length > MAX_ELEMENTS) return fail(`a batch must not have more than ${MAX_ELEMENTS} messages`);
  const elements: BatchElement[] = [];
  const ids = new Set<unknown>();
  for (let index = 0; index < value.length; index += 1) {
    const bytes = body.subarray((structure.marks[index] as number) + 1, structure.marks[index + 1]);
    const parsed = parseJsonRpc(bytes);
    if (parsed.ok && parsed.value.kind === 'request') {
      if (parsed.value.method === 'initialize') return fail('initialize must not be part of a batch');
      if (ids.has(parsed.value.id)) return fail('two requests of a batch have the same id');
      ids.add(parsed.value.id);
    }
    const idSpan = parsed.ok ? (parsed.value.kind === 'request' ? parsed.value.idSpan : undefined) : parsed.failure.idSpan;
    elements.push({
      bytes,
      isAnswered: !parsed.ok || parsed.value.kind === 'request',
      idJson: idSpan === undefined ? undefined : idJson(bytes, idSpan),
    });
  }
  return ok(elements);
}
