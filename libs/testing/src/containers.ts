import { request } from 'node:http';
import { freePort } from '@headrace/embedded';

const KAFKA_IMAGE = 'apache/kafka:4.3.1';
const POSTGRES_IMAGE = 'postgres:18';
const KAFKA_PORT = 9092;
const PING_TIMEOUT_MS = 1_000;

/** A dependency that was started for the tests. */
export interface Started {
  readonly address: string;
  stop(): Promise<void>;
}

/** True when a Docker engine answers at DOCKER_HOST (unix:// or tcp://), by default on its usual socket. */
export function dockerAnswers(dockerHost = 'unix:///var/run/docker.sock'): Promise<boolean> {
  const { protocol, hostname, port, pathname } = new URL(dockerHost);
  if (protocol !== 'unix:' && protocol !== 'tcp:') return Promise.resolve(false);
  const target = protocol === 'unix:' ? { socketPath: pathname } : { host: hostname, port };
  return new Promise((resolve) => {
    const ping = request({ ...target, path: '/_ping', timeout: PING_TIMEOUT_MS }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    ping.once('timeout', () => ping.destroy());
    ping.once('error', () => resolve(false));
    ping.once('close', () => resolve(false)); // settles nothing when the answer came first
    ping.end();
  });
}

export async function startKafkaContainer(): Promise<Started> {
  const { GenericContainer, getContainerRuntimeClient, Wait } = await import('testcontainers');
  const { host } = (await getContainerRuntimeClient()).info.containerRuntime;
  // The broker tells clients its address, so the port outside must be known before it starts.
  const port = await freePort();
  const container = await new GenericContainer(KAFKA_IMAGE)
    .withExposedPorts({ container: KAFKA_PORT, host: port })
    .withEnvironment({
      KAFKA_NODE_ID: '1',
      KAFKA_PROCESS_ROLES: 'broker,controller',
      KAFKA_CONTROLLER_QUORUM_VOTERS: '1@localhost:9093',
      KAFKA_CONTROLLER_LISTENER_NAMES: 'CONTROLLER',
      KAFKA_LISTENERS: `PLAINTEXT://:${KAFKA_PORT},CONTROLLER://:9093`,
      KAFKA_ADVERTISED_LISTENERS: `PLAINTEXT://${host}:${port}`,
      KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
      KAFKA_INTER_BROKER_LISTENER_NAME: 'PLAINTEXT',
      KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'false',
      KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: '1',
      KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: '1',
      KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: '1',
      KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: '0',
      KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS: '500',
    })
    .withWaitStrategy(Wait.forLogMessage(/Kafka Server started/))
    .start();
  return { address: `${host}:${port}`, stop: async () => void (await container.stop()) };
}

export async function startPostgresContainer(): Promise<Started> {
  const { GenericContainer, Wait } = await import('testcontainers');
  const container = await new GenericContainer(POSTGRES_IMAGE)
    .withExposedPorts(5432)
    .withEnvironment({ POSTGRES_USER: 'headrace', POSTGRES_PASSWORD: 'headrace', POSTGRES_DB: 'postgres' })
    .withCommand(['postgres', '-c', 'max_connections=300'])
    // Said once by the server that prepares the database, and once by the one that stays.
    .withWaitStrategy(Wait.forLogMessage(/database system is ready to accept connections/, 2))
    .start();
  const address = `postgres://headrace:headrace@${container.getHost()}:${container.getMappedPort(5432)}/postgres`;
  return { address, stop: async () => void (await container.stop()) };
}
