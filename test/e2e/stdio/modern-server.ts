/** A server on the official SDK that speaks both eras over stdio. Run as a program. */
import { McpServer } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { z } from 'zod';

const cancelled: string[] = [];

serveStdio(() => {
  const server = new McpServer({ name: 'modern-stdio', version: '1.0.0' }, { capabilities: { tools: { listChanged: true }, logging: {} } });
  const text = (value: unknown) => ({
    content: [{ type: 'text' as const, text: typeof value === 'string' ? value : JSON.stringify(value) }],
  });
  server.registerTool('echo', { inputSchema: z.object({ message: z.string() }) }, ({ message }) => text(message));
  server.registerTool('vault', { inputSchema: z.object({}) }, () => text('gold'));
  server.registerTool('pid', { inputSchema: z.object({}) }, () => text(String(process.pid)));
  server.registerTool('crash', { inputSchema: z.object({}) }, () => process.exit(3));
  server.registerTool('steps', { inputSchema: z.object({ name: z.string(), steps: z.int() }) }, async ({ name, steps }, { mcpReq }) => {
    const progressToken = mcpReq._meta?.progressToken;
    for (let step = 1; step <= steps; step += 1) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      if (progressToken !== undefined)
        await mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress: step, message: name } });
    }
    return text(name);
  });
  server.registerTool('wait', { inputSchema: z.object({ key: z.string() }) }, async ({ key }, { mcpReq }) => {
    const progressToken = mcpReq._meta?.progressToken;
    if (progressToken !== undefined) await mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress: 1 } });
    await new Promise<void>((resolve) => mcpReq.signal.addEventListener('abort', () => resolve(), { once: true }));
    cancelled.push(key);
    return text('nobody reads this');
  });
  server.registerTool('cancelled', { inputSchema: z.object({}) }, () => text(cancelled));
  server.registerTool('log', { inputSchema: z.object({}) }, async (_args, { mcpReq }) => {
    await mcpReq.log('warning', 'heard');
    return text('logged');
  });
  server.registerTool('change', { inputSchema: z.object({}) }, () => {
    server.sendToolListChanged();
    return text('changed');
  });
  return server;
});
