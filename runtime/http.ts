/**
 * The values of `node:http`. Importing that module itself reads every export of it, and two of them load the copy of undici that Node carries:
 * a quarter of an idle sidecar's own memory, and a tenth of its start time, for a WebSocket that nobody opens.
 */
export const { Agent, createServer, request } = process.getBuiltinModule('node:http');
