/** This library's only reader of the environment; jest's global setup writes what is not there. */
function required(name: 'KAFKA_BROKERS' | 'DATABASE_URL'): string {
  const value = process.env[name];
  if (value !== undefined && value !== '') return value;
  throw new Error(
    `${name} is not set: integration specs are named *.int-spec.ts and run by \`npm test\`, which sets it.`,
  );
}

/** The addresses (host:port) of the Kafka that this test run uses, e.g. for kafkajs' `brokers`. */
export function testKafkaBrokers(): string[] {
  return required('KAFKA_BROKERS').split(',');
}

/** The Postgres server of this test run; a spec takes a database of its own from `createTestDatabase`. */
export function testDatabaseUrl(): string {
  return required('DATABASE_URL');
}

export interface GivenDependencies {
  readonly kafkaBrokers: string | undefined;
  readonly databaseUrl: string | undefined;
  readonly dockerHost: string | undefined;
}

/** What the person who runs the tests has set. */
export function readGivenDependencies(environment: NodeJS.ProcessEnv = process.env): GivenDependencies {
  return {
    kafkaBrokers: environment['KAFKA_BROKERS'] || undefined,
    databaseUrl: environment['DATABASE_URL'] || undefined,
    dockerHost: environment['DOCKER_HOST'] || undefined,
  };
}
