import { createServer, type Server } from 'node:net';
import { freePort, portIsFree, requireFreePort } from './ports';

async function whileTaken(port: number, work: () => Promise<void>): Promise<void> {
  const server = await new Promise<Server>((resolve) => {
    const listening = createServer().listen(port, '127.0.0.1', () => resolve(listening));
  });
  try {
    await work();
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}

describe('choosing ports', () => {
  it('takes the preferred port when it is free, and another when it is taken', async () => {
    const port = await freePort();
    expect(await freePort(port)).toBe(port);
    await whileTaken(port, async () => expect(await freePort(port)).not.toBe(port));
  });

  it('does not take a port that the caller needs for something else', async () => {
    const port = await freePort();
    expect(await freePort(port, [port])).not.toBe(port);
  });

  it('refuses a given port that is taken, and says what to do', async () => {
    const port = await freePort();
    await whileTaken(port, async () => {
      await expect(requireFreePort(port, 'Kafka')).rejects.toMatchObject({
        fault: 'port-taken',
        message: `Kafka cannot listen on port ${port} because another program already does: end that program or choose another port.`,
      });
    });
    expect(await portIsFree(port)).toBe(true);
  });
});
