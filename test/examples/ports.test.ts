import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { describe, it } from 'node:test';
import { choosePorts } from '../../examples/quick-start/ports.ts';

describe('the ports of the quick start', () => {
  it('are free and distinct when chosen freely', async () => {
    const ports = Object.values(await choosePorts('auto'));
    assert.equal(ports.length, 8);
    assert.equal(new Set(ports).size, 8);
    for (const port of ports) assert.ok(port >= 20_000 && port <= 32_000, String(port));
  });

  it('are named with their setting when the usual one is taken', async (test) => {
    const holder = createServer();
    // When somebody else holds the port already, that serves as well.
    await new Promise<void>((resolve) => {
      holder.once('error', () => resolve());
      holder.listen(9_501, '127.0.0.1', resolve);
    });
    test.after(() => holder.close());
    await assert.rejects(choosePorts('usual'), (error: unknown) => {
      assert.ok(error instanceof Error);
      assert.equal(error.name, 'StartupError');
      assert.match(error.message, /port 9501 is taken \(example ticket server; TICKETS_LISTEN\)/);
      assert.match(error.message, /npm start -- --ports auto/);
      return true;
    });
  });
});
