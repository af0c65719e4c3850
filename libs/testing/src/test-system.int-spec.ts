import { connect } from 'node:net';
import { answersMetadata } from '@headrace/embedded';
import { Client } from 'pg';
import { createTestDatabase, testDatabaseUrl, testKafkaBrokers } from './index';

async function query(url: string, statement: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(statement)).rows;
  } finally {
    await client.end();
  }
}

describe('the Kafka and Postgres of a test run', () => {
  it('offers a Kafka that lists a registered broker', async () => {
    const [host = '', port] = (testKafkaBrokers()[0] ?? '').split(':');
    expect(await answersMetadata(host, Number(port))).toBe(true);
  });

  it('lets a client send nonsense to Kafka without harm to the next client', async () => {
    const [host = '', port] = (testKafkaBrokers()[0] ?? '').split(':');
    const closed = await new Promise<boolean>((resolve) => {
      const socket = connect(Number(port), host, () => socket.end('GET / HTTP/1.1\r\n\r\n'));
      socket.once('error', () => resolve(true));
      socket.once('close', () => resolve(true));
      socket.resume();
    });
    expect(closed).toBe(true);
    expect(await answersMetadata(host, Number(port))).toBe(true);
  });

  it('gives each spec a database of its own that keeps what was written and goes away', async () => {
    const database = await createTestDatabase('testing');
    await query(database.url, 'CREATE TABLE note (text text NOT NULL)');
    await query(database.url, `INSERT INTO note VALUES ('kept')`);
    expect(await query(database.url, 'SELECT text FROM note')).toEqual([{ text: 'kept' }]);

    await database.drop();

    const left = await query(testDatabaseUrl(), `SELECT 1 FROM pg_database WHERE datname = '${database.name}'`);
    expect(left).toEqual([]);
  });

  it('drops a database although a connection to it is still open', async () => {
    const database = await createTestDatabase('testing');
    const idle = new Client({ connectionString: database.url });
    const lost = new Promise((resolve) => idle.on('error', resolve)); // it reports the loss more than once
    await idle.connect();

    await database.drop();

    expect(await lost).toBeInstanceOf(Error);
  });
});
