import { type LoadOrder, type LoadResult, runLoad } from '../load/run-load.ts';

/** What the load process answers to a `LoadOrder`. */
export type LoadReply = { readonly result: LoadResult } | { readonly fault: string };

process.on('message', (order: LoadOrder) => {
  runLoad(order).then(
    (result) => process.send?.({ result } satisfies LoadReply),
    (error: Error) => process.send?.({ fault: error.message } satisfies LoadReply),
  );
});
process.once('disconnect', () => process.exit(0));
process.send?.({ port: 0 });
