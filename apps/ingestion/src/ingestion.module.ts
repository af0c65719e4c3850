import {
  IngestionServiceService,
  type IngestionServiceServer,
} from '@headrace/contracts/proto/ingestion/v1/ingestion_service';
import type { DataStream } from '@headrace/definitions';
import {
  DEFINITION_GRPC,
  definitionMigrations,
  DefinitionStoreModule,
  definitionTables,
} from '@headrace/definition-store';
import { grpcService } from '@headrace/grpc';
import { MessagingModule, messagingMigrations } from '@headrace/messaging';
import { DatabaseModule, GrpcModule, LOGGER, SETTINGS, type Logger } from '@headrace/service-kit';
import { Global, Module } from '@nestjs/common';
import { DatasetVersionRow } from './database/dataset-version.table';
import { DatasetVersions } from './database/dataset-versions.repository';
import { CreateIngestion1765000000000 } from './database/migrations/1765000000000-create-ingestion';
import { DateSeenEvents1765000000010 } from './database/migrations/1765000000010-date-seen-events';
import { faultsOf } from './domain/definition-faults';
import { KnownStreams } from './known-streams';
import { RetrainingRequestedHandler } from './events-in/retraining-requested.handler';
import { UpstreamRecordsHandler } from './events-in/upstream-records.handler';
import { IngestionGrpc } from './grpc-in/ingestion.service';
import type { IngestionSettings } from './ingestion.config';
import { DatasetCommitsTimer } from './timers/dataset-commits.timer';
import { RetentionTimer } from './timers/retention.timer';
import { WatermarksTimer } from './timers/watermarks.timer';
import { AcceptRecords } from './use-cases/accept-records';
import { AnnounceWatermark } from './use-cases/announce-watermark';
import { CommitDatasetVersion } from './use-cases/commit-dataset-version';
import { CommitDueVersions } from './use-cases/commit-due-versions';
import { CountStreams } from './use-cases/count-streams';
import { ForgetTheOld } from './use-cases/forget-the-old';
import { WriteDatasetFiles } from './use-cases/write-dataset-files';

const INGESTION_GRPC = Symbol('INGESTION_GRPC');

const tables = [...definitionTables, DatasetVersionRow];
const migrations = [
  ...messagingMigrations,
  ...definitionMigrations,
  CreateIngestion1765000000000,
  DateSeenEvents1765000000010,
];

const handlers = [UpstreamRecordsHandler, RetrainingRequestedHandler];
const useCases = [
  AcceptRecords,
  AnnounceWatermark,
  CommitDatasetVersion,
  CommitDueVersions,
  CountStreams,
  ForgetTheOld,
  WriteDatasetFiles,
];
const repositories = [DatasetVersions];
const timers = [DatasetCommitsTimer, WatermarksTimer, RetentionTimer];

const grpc = {
  provide: INGESTION_GRPC,
  inject: [IngestionGrpc],
  useFactory: (service: IngestionGrpc) =>
    grpcService<IngestionServiceServer>(IngestionServiceService, service, {
      commitDatasetVersion: ['operator', 'data-scientist'],
      listDatasetVersions: 'authenticated',
      getStreamCounts: 'authenticated',
    }),
};

@Global()
@Module({
  controllers: handlers,
  providers: [KnownStreams, IngestionGrpc, grpc, ...useCases, ...repositories, ...timers],
  exports: [INGESTION_GRPC],
})
class IngestionCoreModule {}

@Module({
  imports: [
    DatabaseModule.forService(tables, migrations),
    MessagingModule.forServiceAsync({
      inject: [SETTINGS, LOGGER],
      useFactory: (settings: IngestionSettings, logger: Logger) => ({
        service: 'ingestion',
        brokers: settings.KAFKA_BROKERS.split(','),
        logger,
      }),
    }),
    DefinitionStoreModule.forService({
      owns: ['DataStream'],
      validate: (definition, others) =>
        definition.kind === 'DataStream'
          ? faultsOf(
              definition,
              others.filter((other): other is DataStream => other.kind === 'DataStream'),
            )
          : [],
    }),
    IngestionCoreModule,
    GrpcModule.forServices([], [INGESTION_GRPC, DEFINITION_GRPC]),
  ],
})
export class IngestionModule {}
