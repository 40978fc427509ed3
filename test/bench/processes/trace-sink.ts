import { createServer } from 'node:http';
import { ready } from './ready.ts';

/** Takes what the sidecar exports, as a collector would, and throws it away. */
const server = createServer((request, response) => {
  request.resume();
  request.on('end', () => response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end());
});
server.listen(0, '127.0.0.1', () => ready(server));
