import type { IncomingHttpHeaders } from 'node:http';
import { type Refusal, upstreamFailed } from '../denial.ts';
import { isJsonMediaType } from '../mcp/media-type.ts';
import { AnswerWithheld, type BodyFilter } from '../relay.ts';
import type { AnswerSink } from './answer-filter.ts';

/** Far more than protected resource metadata (RFC 9728 section 2) ever holds. */
const MAX_METADATA_BYTES = 65_536;

/** Lets a server's metadata through when it is one small JSON document, or a small answer with an error status. A `Refusal` replaces it. */
export function metadataFilter(server: string, sink: AnswerSink, status: number, headers: IncomingHttpHeaders): BodyFilter | Refusal {
  const withheld = (why: string) => upstreamFailed('upstream_answer', `the metadata of the server ${server} ${why}, so it was withheld`);
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') return withheld('is encoded, though that was not asked for');
  if (status < 400 && !isJsonMediaType(headers['content-type'] ?? '')) return withheld('is not JSON');
  const chunks: Buffer[] = [];
  let length = 0;
  return {
    async push(chunk) {
      length += chunk.length;
      if (length > MAX_METADATA_BYTES) throw new AnswerWithheld(withheld(`is larger than ${MAX_METADATA_BYTES} bytes`));
      chunks.push(chunk);
    },
    async end() {
      if (length > 0) sink.write(Buffer.concat(chunks, length));
    },
  };
}
