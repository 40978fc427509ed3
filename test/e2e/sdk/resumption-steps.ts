import assert from 'node:assert/strict';
import type { SdkClient } from './sdk-client.ts';
import type { Step } from './transcript.ts';
import type { WireExchange } from './wire.ts';

const RESUMED = (exchange: WireExchange) => exchange.requestHeaders.has('last-event-id');

/** The ids of the events in a stream. */
function eventIds(text: string): string[] {
  return [...text.matchAll(/^id: ?(.+)$/gm)].map(([, id]) => id ?? '');
}

/** Streams that break and are taken up again with `Last-Event-ID` (Streamable HTTP before 2026-07-28, Resumability and Redelivery). */
export const RESUMPTION: readonly Step<SdkClient>[] = [
  {
    name: 'the GET stream is taken up where it broke, with what came in between',
    async run({ wire, inbox, subscribeResource }) {
      const stream = await wire.openStream();
      await subscribeResource('demo://before');
      const before = await inbox.next('notifications/message', 'demo://before');
      const lastId = eventIds(stream.text).at(-1);
      assert.ok(lastId !== undefined, 'events of this stream have ids');
      const release = wire.holdStreams();
      stream.cut();
      await subscribeResource('demo://between');
      release();
      const between = await inbox.next('notifications/message', 'demo://between');
      const resumed = await wire.find(RESUMED);
      assert.equal(resumed.requestHeaders.get('last-event-id'), lastId);
      return [before, between, resumed.status, resumed.headers.get('content-type')];
    },
  },
  {
    name: 'the answer of a call whose stream broke comes by the GET stream',
    async run({ wire, callTool }) {
      const from = wire.exchanges.length;
      const release = wire.holdStreams();
      const stepped = Promise.withResolvers<void>();
      wire.breakAfter('tools/call', '"progress":1');
      const broken = callTool('trigger-long-running-operation', { duration: 0.1, steps: 2 }, { onProgress: () => stepped.resolve() });
      await stepped.promise;
      const call = await wire.find(({ sent }) => sent?.method === 'tools/call', from);
      // Started later and longer, so the server has finished the first call when it has finished this one.
      await callTool('trigger-long-running-operation', { duration: 0.3, steps: 1 });
      release();
      const result = await broken;
      const resumed = await wire.find(RESUMED, from);
      assert.ok(eventIds(call.text).includes(resumed.requestHeaders.get('last-event-id') ?? ''));
      return [result, resumed.status];
    },
  },
];
