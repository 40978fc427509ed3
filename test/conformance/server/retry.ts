/** What clients are told to wait before they come back for the rest of a stream (SSE `retry`). */
export const RETRY_MS = 100;
