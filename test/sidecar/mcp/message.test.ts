import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { classifyInboundRequest } from '@modelcontextprotocol/server';
import fc from 'fast-check';
import type { Operation } from '../../../extauthz/api/operation.ts';
import { isJsonMediaType } from '../../../sidecar/mcp/media-type.ts';
import { type InboundFaultKind, readInbound } from '../../../sidecar/mcp/message.ts';
import type { Era } from '../../../sidecar/mcp/protocol-version.ts';
import { bytesOf, type CaseBytes, readCases } from '../../cases/mcp/read-cases.ts';

interface Case extends CaseBytes {
  readonly name: string;
  readonly headers?: readonly (readonly [string, string])[];
  readonly fault?: readonly [kind: InboundFaultKind, httpStatus: number, rpcCode: number];
  readonly id?: string;
  readonly era?: Era;
  readonly version?: string;
  readonly operation?: readonly [action: Operation['action'], target: string];
}

const CASES = readCases<Case>('inbound.yaml');
const isMediaCase = ({ headers = [] }: Case) => headers.some(([name]) => /^(content-|x-other)/i.test(name));

function rawHeaders(given: Case): string[] {
  return [...(isMediaCase(given) ? [] : [['Content-Type', 'application/json']]), ...(given.headers ?? [])].flat();
}

describe('inbound cases', () => {
  for (const given of CASES) {
    test(given.name, () => {
      const inbound = readInbound({ rawHeaders: rawHeaders(given) }, bytesOf(given));
      if (given.fault !== undefined) {
        assert.ok(!inbound.ok, 'was taken');
        const { kind, httpStatus, rpcCode, idJson, message } = inbound.failure;
        assert.deepEqual([kind, httpStatus, rpcCode], given.fault);
        assert.equal(idJson, given.id);
        assert.notEqual(message, '');
        return;
      }
      assert.ok(inbound.ok, JSON.stringify(inbound));
      const { era, protocolVersion, operation } = inbound.value;
      assert.deepEqual({ era, protocolVersion }, { era: given.era, protocolVersion: given.version });
      assert.deepEqual([operation.action, operation.target], given.operation);
    });
  }
});

describe('media types', () => {
  for (const { name, value, json } of readCases<{ name: string; value: string; json: boolean }>('media-type.yaml')) {
    test(name, () => assert.equal(isJsonMediaType(value), json));
  }
});

test('a header of many blanks takes no time to read', () => {
  const blanks = ' '.repeat(60_000);
  const startedAt = performance.now();
  const inbound = readInbound({ rawHeaders: ['content-type', `application/json;${blanks}x${blanks}y`] }, Buffer.from('{}'));
  assert.ok(!inbound.ok);
  assert.ok(performance.now() - startedAt < 1_000);
});

/** The SDK's verdict on the same request; only a single value of each header can be put to it. */
function classify(given: Case): { era: Era } | { code: number; httpStatus: number } | undefined {
  const value = (name: string) => (given.headers ?? []).filter(([field]) => field.toLowerCase() === name).map(([, text]) => text);
  const [versions, methods, names] = [value('mcp-protocol-version'), value('mcp-method'), value('mcp-name')];
  if (versions.length > 1 || methods.length > 1 || names.length > 1) return undefined;
  const outcome = classifyInboundRequest({
    httpMethod: 'POST',
    ...(versions[0] !== undefined && { protocolVersionHeader: versions[0] }),
    ...(methods[0] !== undefined && { mcpMethodHeader: methods[0] }),
    ...(names[0] !== undefined && { mcpNameHeader: names[0] }),
    body: JSON.parse(bytesOf(given).toString()),
  });
  if (outcome.kind === 'reject') return { code: outcome.code, httpStatus: outcome.httpStatus };
  return { era: outcome.kind };
}

describe('against the SDK', () => {
  test('where the SDK refuses, so do we, with its code and status; what we take has the era it has for the SDK', () => {
    let compared = 0;
    for (const given of CASES) {
      if (isMediaCase(given) || given.fault?.[0] === 'parse_error') continue;
      const sdk = classify(given);
      // The SDK takes any text after "2026-07-28" in the alphabet for a modern version; we go by dates. It routes a response by its shape alone.
      if (sdk === undefined || given.version === 'banana' || given.fault?.[0] === 'client_response') continue;
      compared += 1;
      if ('code' in sdk) assert.deepEqual([given.fault?.[2], given.fault?.[1]], [sdk.code, sdk.httpStatus], given.name);
      else if (given.fault === undefined) assert.equal(given.era, sdk.era, given.name);
    }
    assert.ok(compared > 50, `${compared} compared`);
  });

  test('any mix of versions, claims, methods and headers', () => {
    const version = fc.option(fc.constantFrom('2024-11-05', '2025-11-25', '2026-07-28', '2027-01-01'), { nil: undefined });
    const method = fc.constantFrom(
      'initialize',
      'tools/call',
      'tools/list',
      'server/discover',
      'notifications/cancelled',
      'resources/read',
    );
    const scenario = fc.record({
      method,
      claim: version,
      capabilities: fc.constantFrom<unknown>(undefined, {}, { roots: {} }, [], 'x'),
      versionHeader: version,
      methodHeader: fc.option(method, { nil: undefined }),
      nameHeader: fc.constantFrom(undefined, 'echo', 'a:b', 'other'),
    });
    fc.assert(
      fc.property(scenario, ({ method, claim, capabilities, versionHeader, methodHeader, nameHeader }) => {
        const meta = {
          ...(claim !== undefined && { 'io.modelcontextprotocol/protocolVersion': claim }),
          ...(capabilities !== undefined && { 'io.modelcontextprotocol/clientCapabilities': capabilities }),
        };
        const params = { name: 'echo', uri: 'a:b', requestId: 1, _meta: meta };
        const body = { jsonrpc: '2.0', ...(!method.startsWith('notifications/') && { id: 1 }), method, params };
        const headers = [
          ...(versionHeader === undefined ? [] : [['MCP-Protocol-Version', versionHeader] as const]),
          ...(methodHeader === undefined ? [] : [['Mcp-Method', methodHeader] as const]),
          ...(nameHeader === undefined ? [] : [['Mcp-Name', nameHeader] as const]),
        ];
        const given: Case = { name: 'generated', text: JSON.stringify(body), headers };
        const sdk = classify(given);
        const ours = readInbound({ rawHeaders: rawHeaders(given) }, bytesOf(given));
        assert.ok(sdk !== undefined);
        if ('code' in sdk) {
          assert.ok(!ours.ok, 'the SDK refuses it');
          assert.deepEqual([ours.failure.rpcCode, ours.failure.httpStatus], [sdk.code, sdk.httpStatus]);
        } else if (ours.ok) {
          assert.equal(ours.value.era, sdk.era);
        } else {
          // Presence of the headers and Mcp-Name are checked by the SDK in a later step, and not at all beside a claim that it takes no notice of.
          assert.equal(ours.failure.kind, 'header_mismatch');
          assert.ok(sdk.era === 'modern' || (method === 'initialize' && claim !== undefined));
        }
      }),
      { numRuns: 3_000 },
    );
  });
});
