export { testDatabaseUrl, testKafkaBrokers } from './testing.config';
export { eventually, type EventuallyOptions } from './eventually';
export { createTestDatabase, type TestDatabase } from './test-database';
export { uniqueName } from './unique-name';
export { startOwnKafka, type OwnKafka } from './own-kafka';
export { startOtlpCollector, type ExportedSpan, type OtlpCollector } from './otlp-collector';
export { selfSigned } from './self-signed';
