import {
  FeatureServiceService,
  type FeatureServiceServer,
} from '@headrace/contracts/proto/features/v1/features_service';
import {
  DEFINITION_GRPC,
  definitionMigrations,
  DefinitionStoreModule,
  definitionTables,
} from '@headrace/definition-store';
import { grpcService } from '@headrace/grpc';
import { messagingMigrations, MessagingModule } from '@headrace/messaging';
import { DatabaseModule, GrpcModule, LOGGER, REPLAY_SCHEMA, SETTINGS, type Logger } from '@headrace/service-kit';
import { Module } from '@nestjs/common';
import { CreateFeatureStore1765000000000 } from './database/migrations/1765000000000-create-feature-store';
import { FinalRecords1765000000001 } from './database/migrations/1765000000001-final-records';
import { ReuseTrainingSets1765000000002 } from './database/migrations/1765000000002-reuse-training-sets';
import { ScoringJobs1765000000003 } from './database/migrations/1765000000003-scoring-jobs';
import { FollowTheTail1765000000004 } from './database/migrations/1765000000004-follow-the-tail';
import { faultsOfView } from './domain/feature-view';
import { DataHandler } from './events-in/data.handler';
import { ScoringHandler } from './events-in/scoring.handler';
import { TrainingHandler } from './events-in/training.handler';
import type { FeatureStoreSettings } from './feature-store.config';
import { FeaturesGrpc } from './grpc-in/features.service';
import { KnownViews } from './known-views';
import { OnlineReader } from './online/online-reader';
import { Watermarks } from './online/watermarks';
import { CheckServingSkew } from './use-cases/check-serving-skew';
import { FillViews } from './use-cases/fill-views';
import { MaterializeTrainingSet } from './use-cases/materialize-training-set';
import { ReadOnlineFeatures } from './use-cases/read-online-features';
import { RecordArrivals } from './use-cases/record-arrivals';
import { ScoreDataset } from './use-cases/score-dataset';
import { Workers } from './workers';

const FEATURES_GRPC = Symbol('FEATURES_GRPC');

const migrations = [
  ...messagingMigrations,
  ...definitionMigrations,
  CreateFeatureStore1765000000000,
  FinalRecords1765000000001,
  ReuseTrainingSets1765000000002,
  ScoringJobs1765000000003,
  FollowTheTail1765000000004,
];
const handlers = [DataHandler, TrainingHandler, ScoringHandler];
const useCases = [
  RecordArrivals,
  FillViews,
  MaterializeTrainingSet,
  ReadOnlineFeatures,
  CheckServingSkew,
  ScoreDataset,
];
const online = [Watermarks, OnlineReader];

@Module({
  controllers: handlers,
  providers: [
    KnownViews,
    FeaturesGrpc,
    Workers,
    ...useCases,
    ...online,
    {
      provide: FEATURES_GRPC,
      inject: [FeaturesGrpc],
      useFactory: (service: FeaturesGrpc) =>
        grpcService<FeatureServiceServer>(FeatureServiceService, service, {
          getOnlineFeatures: ['service', 'data-scientist', 'operator'],
          checkServingSkew: ['operator', 'data-scientist'],
          listScoringJobs: 'authenticated',
        }),
    },
  ],
  exports: [FEATURES_GRPC],
})
class FeatureStoreCoreModule {}

@Module({
  imports: [
    DatabaseModule.forService(definitionTables, migrations),
    MessagingModule.forServiceAsync({
      inject: [SETTINGS, LOGGER, REPLAY_SCHEMA],
      useFactory: (settings: FeatureStoreSettings, logger: Logger, replaySchema: string | null) => ({
        service: 'feature-store',
        brokers: settings.KAFKA_BROKERS.split(','),
        logger,
        replay: replaySchema !== null,
      }),
    }),
    DefinitionStoreModule.forService({
      owns: ['FeatureView'],
      validate: (definition) => (definition.kind === 'FeatureView' ? faultsOfView(definition) : []),
    }),
    FeatureStoreCoreModule,
    GrpcModule.forServices([FeatureStoreCoreModule], [FEATURES_GRPC, DEFINITION_GRPC]),
  ],
})
export class FeatureStoreModule {}
