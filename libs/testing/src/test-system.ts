import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startKafka, startPostgres } from '@headrace/embedded';
import { dockerAnswers, startKafkaContainer, type Started, startPostgresContainer } from './containers';
import { readGivenDependencies } from './testing.config';

export interface TestSystem {
  readonly kafkaBrokers: string;
  readonly databaseUrl: string;
  /** Ends what was started here and removes its data; may be called twice. */
  stop(): Promise<void>;
}

const FOLDER_PREFIX = 'headrace-test-';

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** Removes the folders of test runs that were killed: the pid in their name is of no living process. */
async function removeAbandonedFolders(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const pid = Number(/^headrace-test-(\d+)-/.exec(name)?.[1] ?? process.pid);
    if (!isAlive(pid)) await rm(join(tmpdir(), name), { recursive: true, force: true });
  }
}

async function startEmbeddedKafka(folder: string, log: (line: string) => void): Promise<Started> {
  const kafka = await startKafka({
    dataDirectory: join(folder, 'kafka'),
    // Lets specs of failover use sessions shorter than the 6 s that Kafka allows at least.
    properties: { 'group.min.session.timeout.ms': 500 },
    onProgress: ({ done, total }) => log(`Kafka's jars: ${done} of ${total}`),
  });
  return { address: kafka.brokers, stop: () => kafka.stop() };
}

async function startEmbeddedPostgres(folder: string): Promise<Started> {
  const postgres = await startPostgres({ dataDirectory: join(folder, 'postgres') });
  return { address: postgres.url, stop: () => postgres.stop() };
}

function given(address: string): Started {
  return { address, stop: () => Promise.resolve() };
}

/** Waits for all, and ends those that started when one did not. */
async function allOrNone(starting: readonly Promise<Started>[]): Promise<Started[]> {
  const results = await Promise.allSettled(starting);
  const failed = results.find((result) => result.status === 'rejected');
  const started = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  if (failed === undefined) return started;
  await Promise.all(started.map((one) => one.stop()));
  throw failed.reason;
}

/**
 * A Kafka and a Postgres for one test run: those of the environment (KAFKA_BROKERS, DATABASE_URL), else containers where
 * a Docker engine answers and has or gets the images, else embedded ones with data in a temporary folder.
 */
export async function startTestSystem(log: (line: string) => void): Promise<TestSystem> {
  const { kafkaBrokers, databaseUrl, dockerHost } = readGivenDependencies();
  if (kafkaBrokers !== undefined && databaseUrl !== undefined) {
    return { kafkaBrokers, databaseUrl, stop: () => Promise.resolve() };
  }
  const choose = (kafka: () => Promise<Started>, postgres: () => Promise<Started>): Promise<Started[]> =>
    allOrNone([
      kafkaBrokers === undefined ? kafka() : Promise.resolve(given(kafkaBrokers)),
      databaseUrl === undefined ? postgres() : Promise.resolve(given(databaseUrl)),
    ]);

  let folder: string | undefined;
  const embedded = async (): Promise<Started[]> => {
    await removeAbandonedFolders();
    const created = await mkdtemp(join(tmpdir(), `${FOLDER_PREFIX}${process.pid}-`));
    folder = created;
    await chmod(created, 0o711); // user postgres, as which Postgres runs for root, must be able to enter
    try {
      return await choose(
        () => startEmbeddedKafka(created, log),
        () => startEmbeddedPostgres(created),
      );
    } catch (error) {
      await rm(created, { recursive: true, force: true });
      throw error;
    }
  };
  const containers = (): Promise<Started[]> =>
    choose(startKafkaContainer, startPostgresContainer).catch((error: unknown) => {
      log(`Docker answers but its containers did not start (${String(error)}); using the embedded ones`);
      return embedded();
    });

  const started = await ((await dockerAnswers(dockerHost)) ? containers() : embedded());
  const [kafka, postgres] = started;
  if (kafka === undefined || postgres === undefined) throw new Error('Kafka and Postgres were not both started.');

  let stopping: Promise<void> | undefined;
  const stopAll = async (): Promise<void> => {
    await Promise.all(started.map((one) => one.stop()));
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  };
  return {
    kafkaBrokers: kafka.address,
    databaseUrl: postgres.address,
    stop: () => (stopping ??= stopAll()),
  };
}
