import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { freePort } from '@headrace/embedded';

const run = promisify(execFile);
const KAFKA_IMAGE = 'apache/kafka:4.3.1';
const POSTGRES_IMAGE = 'postgres:18';

export interface Containers {
  readonly kafka: string;
  readonly database: string;
  stop(): Promise<void>;
}

/** Kafka and Postgres by the Docker engine, for `--docker`. Rejects with one sentence when there is none. */
export async function startContainers(say: (line: string) => void): Promise<Containers> {
  await run('docker', ['version', '--format', '{{.Server.Version}}']).catch(() => {
    throw new Error(
      '--docker needs a running Docker engine, and none answers: start it, or leave out --docker for the embedded Kafka and Postgres',
    );
  });
  const suffix = randomBytes(4).toString('hex');
  const password = randomBytes(16).toString('hex');
  const kafkaPort = await freePort();
  const databasePort = await freePort(undefined, [kafkaPort]);
  const started: string[] = [];
  const start = async (name: string, args: string[]): Promise<void> => {
    say(`Starting container ${name}`);
    await run('docker', ['run', '--detach', '--rm', '--name', name, ...args]);
    started.push(name);
  };
  const stop = async (): Promise<void> => {
    for (const name of started.splice(0)) await run('docker', ['stop', name]);
  };
  try {
    await start(`headrace-kafka-${suffix}`, [
      '--publish', `127.0.0.1:${kafkaPort}:${kafkaPort}`,
      '--env', 'KAFKA_NODE_ID=1',
      '--env', 'KAFKA_PROCESS_ROLES=broker,controller',
      '--env', `KAFKA_LISTENERS=PLAINTEXT://0.0.0.0:${kafkaPort},CONTROLLER://127.0.0.1:9093`,
      '--env', `KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://127.0.0.1:${kafkaPort}`,
      '--env', 'KAFKA_LISTENER_SECURITY_PROTOCOL_MAP=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
      '--env', 'KAFKA_CONTROLLER_LISTENER_NAMES=CONTROLLER',
      '--env', 'KAFKA_CONTROLLER_QUORUM_VOTERS=1@127.0.0.1:9093',
      '--env', 'KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR=1',
      '--env', 'KAFKA_AUTO_CREATE_TOPICS_ENABLE=false',
      '--env', 'KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS=0',
      KAFKA_IMAGE,
    ]); // prettier-ignore
    await start(`headrace-postgres-${suffix}`, [
      '--publish', `127.0.0.1:${databasePort}:5432`,
      '--env', `POSTGRES_PASSWORD=${password}`,
      '--env', 'POSTGRES_DB=headrace',
      POSTGRES_IMAGE,
    ]); // prettier-ignore
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    kafka: `127.0.0.1:${kafkaPort}`,
    database: `postgres://postgres:${password}@127.0.0.1:${databasePort}/headrace`,
    stop,
  };
}
