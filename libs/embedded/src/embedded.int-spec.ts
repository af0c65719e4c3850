import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { answersMetadata, freePort, startKafka, startPostgres } from './index';

async function query(url: string, statement: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(statement)).rows;
  } finally {
    await client.end();
  }
}

describe('embedded dependencies', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'headrace-embedded-'));
    await chmod(folder, 0o711);
  });

  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('keep Postgres’ committed rows, address and password over a crash and over a new start', async () => {
    const dataDirectory = join(folder, 'postgres');
    const first = await startPostgres({ dataDirectory });
    await query(first.url, 'CREATE TABLE note (text text)');
    await query(first.url, `INSERT INTO note VALUES ('kept')`);
    const { pid } = first;
    await first.kill();
    await first.restart();
    expect(first.pid).not.toBe(pid);
    expect(await query(first.url, 'SELECT text FROM note')).toEqual([{ text: 'kept' }]);
    await first.stop();

    const second = await startPostgres({ dataDirectory });
    expect(second.url).toBe(first.url);
    expect(await query(second.url, 'SELECT text FROM note')).toEqual([{ text: 'kept' }]);
    await second.stop();
    expect(await readFile(join(folder, 'logs', 'postgres.log'), 'utf8')).toContain('ready to accept connections');
  }, 60_000);

  it('keep Kafka’s cluster over a crash, and over a new start on another port', async () => {
    const dataDirectory = join(folder, 'kafka');
    const clusterId = async () =>
      /cluster.id=(.*)/.exec(await readFile(join(dataDirectory, 'log', 'meta.properties'), 'utf8'))?.[1];
    const first = await startKafka({ dataDirectory });
    const id = await clusterId();
    await first.kill();
    expect(await answersMetadata('127.0.0.1', first.port)).toBe(false);
    await first.restart();
    expect(await answersMetadata('127.0.0.1', first.port)).toBe(true);
    await first.stop();
    await writeFile(join(dataDirectory, 'ports.json'), '{}'); // the controller moves to another port as well

    const port = await freePort();
    const second = await startKafka({ dataDirectory, port });
    expect(second.brokers).toBe(`127.0.0.1:${port}`);
    expect(await clusterId()).toBe(id);
    await second.stop();
  }, 120_000);

  it('tell when a server ends that nobody has stopped', async () => {
    const ended = new Promise((resolve) => {
      void startPostgres({ dataDirectory: join(folder, 'postgres'), onUnexpectedExit: resolve }).then(({ pid }) =>
        process.kill(pid, 'SIGKILL'),
      );
    });
    expect(await ended).toEqual({ code: null, signal: 'SIGKILL' });
  }, 60_000);

  it('refuse a folder on which a server already runs', async () => {
    const dataDirectory = join(folder, 'postgres');
    const running = await startPostgres({ dataDirectory });
    await expect(startPostgres({ dataDirectory })).rejects.toMatchObject({ fault: 'in-use' });
    await running.stop();
  }, 60_000);

  it('refuse a port that is taken, before anything is started', async () => {
    const port = await freePort();
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve));
    const taken = { fault: 'port-taken', message: expect.stringContaining(`port ${port}`) };
    await expect(startKafka({ dataDirectory: join(folder, 'kafka'), port })).rejects.toMatchObject(taken);
    await expect(startPostgres({ dataDirectory: join(folder, 'postgres'), port })).rejects.toMatchObject(taken);
    await new Promise((resolve) => other.close(resolve));
  }, 60_000);

  it('show the end of the log when a server does not come up', async () => {
    await expect(
      startPostgres({ dataDirectory: join(folder, 'postgres'), settings: { no_such_setting: 1 } }),
    ).rejects.toMatchObject({ fault: 'start-failed', message: expect.stringContaining('no_such_setting') });
  }, 60_000);
});
