export {
  baseSettings,
  databaseSettings,
  defineConfig,
  readConfig,
  type BaseSettings,
  type DatabaseSettings,
  type ServiceConfig,
} from './config';
export { DatabaseModule, openDatabase, schemaOf } from './database.module';
export { exclusively, type Queries } from './exclusively';
export { GrpcModule } from './grpc.module';
export { createLogger, type Logger } from './logging';
export { Readiness, type ReadinessCheck } from './readiness';
export { pause, Repeating } from './repeating';
export type { Replayable, ReplayedGroup, ReplayResult } from './replay-command';
export { runReplay } from './replay-command';
export { parseReplayArguments } from './replay-arguments';
export { createService, runService, type CreateOptions, type RunOptions } from './run-service';
export { LOGGER, REPLAY_SCHEMA, SERVICE_NAME, ServiceKitModule, SETTINGS } from './service-kit.module';
