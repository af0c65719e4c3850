export { EmbeddedDependencyError, type EmbeddedFault } from './embedded-error';
export { installationFolders, type InstallationFolders } from './embedded.config';
export { javaCommand } from './java';
export { startKafka, type EmbeddedKafka, type KafkaOptions } from './kafka';
export { ensureKafkaJars, type JarProgress } from './kafka-jars';
export { answersMetadata } from './kafka-probe';
export { freePort } from './ports';
export { startPostgres, type EmbeddedPostgres, type PostgresOptions } from './postgres';
export { pythonCommand } from './python-environment';
