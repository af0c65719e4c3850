import {
  MonitoringServiceService,
  type MonitoringServiceServer,
} from '@headrace/contracts/proto/monitoring/v1/monitoring_service';
import {
  DEFINITION_GRPC,
  definitionMigrations,
  DefinitionStoreModule,
  definitionTables,
} from '@headrace/definition-store';
import { grpcService } from '@headrace/grpc';
import { messagingMigrations, MessagingModule, openUpstreamWriter } from '@headrace/messaging';
import { DatabaseModule, GrpcModule, LOGGER, REPLAY_SCHEMA, SETTINGS, type Logger } from '@headrace/service-kit';
import { Module } from '@nestjs/common';
import { SliceWindows1766200000000 } from './database/migrations/1766200000000-slice-windows';
import { BusinessMetrics1766400000000 } from './database/migrations/1766400000000-business-metrics';
import { CutWindows1766550000000 } from './database/migrations/1766550000000-cut-windows';
import { BatchPredictions1766000000000 } from './database/migrations/1766000000000-batch-predictions';
import { CreateMonitoring1765000000000 } from './database/migrations/1765000000000-create-monitoring';
import { LabelQueue1765400000000 } from './database/migrations/1765400000000-label-queue';
import { ModelVersions1765300000000 } from './database/migrations/1765300000000-model-versions';
import { RolloutScores1765100000000 } from './database/migrations/1765100000000-rollout-scores';
import { JudgeMoreSignals1765500000000 } from './database/migrations/1765500000000-judge-more-signals';
import { SketchWindows1765700000000 } from './database/migrations/1765700000000-sketch-windows';
import { ReplayRequests1765900000000 } from './database/migrations/1765900000000-replay-requests';
import { HoldRetrainingsBack1766100000000 } from './database/migrations/1766100000000-hold-retrainings-back';
import { TimeTheLoop1765600000000 } from './database/migrations/1765600000000-time-the-loop';
import { conflictsOf, faultsOf } from './domain/definition-faults';
import { CutsHandler } from './events-in/cuts.handler';
import { FactsHandler } from './events-in/facts.handler';
import { ModelVersionsHandler } from './events-in/model-versions.handler';
import { ScoresHandler } from './events-in/scores.handler';
import { VersionsHandler } from './events-in/versions.handler';
import { MonitoringGrpc } from './grpc-in/monitoring.service';
import type { MonitoringSettings } from './monitoring.config';
import { RetrainingMetrics, RolloutMetrics, WindowMetrics } from './observe-decisions';
import { LabellingController } from './http-in/labelling.controller';
import { DecisionsTimer } from './timers/decisions.timer';
import { LabelsTimer } from './timers/labels.timer';
import { LoopIndicatorsTimer } from './timers/loop-indicators.timer';
import { ReplaysTimer } from './timers/replays.timer';
import { RolloutsTimer } from './timers/rollouts.timer';
import { AnalyseRollout } from './use-cases/analyse-rollout';
import { AnswerLabels } from './use-cases/answer-labels';
import { AnswerReplays } from './use-cases/answer-replays';
import { CheckRollouts } from './use-cases/check-rollouts';
import { CloseWindow } from './use-cases/close-window';
import { FindWindow } from './use-cases/find-window';
import { KeepLabelQueue } from './use-cases/keep-label-queue';
import { PublishAnswers, UPSTREAM_WRITER } from './use-cases/publish-answers';
import { ReadLoop } from './use-cases/read-loop';
import { ReadProgress } from './use-cases/read-progress';
import { RecordLabels } from './use-cases/record-labels';
import { RecordPredictions } from './use-cases/record-predictions';
import { ReferenceProfiles } from './use-cases/reference-profiles';
import { ReplayVersion } from './use-cases/replay-version';
import { RequestRetraining } from './use-cases/request-retraining';
import { ReviseWindow } from './use-cases/revise-window';
import { Watch } from './use-cases/watch';
import { WatchedMonitors } from './watched-monitors';

const MONITORING_GRPC = Symbol('MONITORING_GRPC');

const migrations = [
  ...messagingMigrations,
  ...definitionMigrations,
  CreateMonitoring1765000000000,
  RolloutScores1765100000000,
  ModelVersions1765300000000,
  LabelQueue1765400000000,
  JudgeMoreSignals1765500000000,
  TimeTheLoop1765600000000,
  SketchWindows1765700000000,
  ReplayRequests1765900000000,
  BatchPredictions1766000000000,
  HoldRetrainingsBack1766100000000,
  SliceWindows1766200000000,
  BusinessMetrics1766400000000,
  CutWindows1766550000000,
];
const eventsIn = [FactsHandler, CutsHandler, VersionsHandler, ScoresHandler, ModelVersionsHandler];
const useCases = [
  RecordPredictions,
  RecordLabels,
  ReadProgress,
  ReferenceProfiles,
  FindWindow,
  CloseWindow,
  ReviseWindow,
  RequestRetraining,
  AnalyseRollout,
  CheckRollouts,
  ReplayVersion,
  AnswerReplays,
  KeepLabelQueue,
  AnswerLabels,
  PublishAnswers,
  Watch,
  ReadLoop,
];
const metrics = [WindowMetrics, RolloutMetrics, RetrainingMetrics];
const timers = [DecisionsTimer, RolloutsTimer, LabelsTimer, LoopIndicatorsTimer, ReplaysTimer];
const httpIn = [LabellingController];

/** Answers of people go where upstream systems write. */
const upstreamWriter = {
  provide: UPSTREAM_WRITER,
  inject: [SETTINGS, LOGGER],
  useFactory: (settings: MonitoringSettings, logger: Logger) =>
    openUpstreamWriter(settings.KAFKA_BROKERS.split(','), 'monitoring-labelling', logger),
};

const grpc = {
  provide: MONITORING_GRPC,
  inject: [MonitoringGrpc],
  useFactory: (service: MonitoringGrpc) =>
    grpcService<MonitoringServiceServer>(MonitoringServiceService, service, {
      getMonitor: 'authenticated',
      compareVersions: 'authenticated',
      replayVersion: ['operator', 'data-scientist'],
      getStatus: 'authenticated',
      getPrediction: 'authenticated',
    }),
};

@Module({
  controllers: [...eventsIn, ...httpIn],
  providers: [WatchedMonitors, ...useCases, ...metrics, ...timers, upstreamWriter, MonitoringGrpc, grpc],
  exports: [MONITORING_GRPC],
})
class MonitoringCoreModule {}

@Module({
  imports: [
    DatabaseModule.forService(definitionTables, migrations),
    MessagingModule.forServiceAsync({
      inject: [SETTINGS, LOGGER, REPLAY_SCHEMA],
      useFactory: (settings: MonitoringSettings, logger: Logger, replaySchema: string | null) => ({
        service: 'monitoring',
        brokers: settings.KAFKA_BROKERS.split(','),
        logger,
        replay: replaySchema !== null,
        // A fetch of predictions in one transaction: they are written together, whatever their number.
        tuning: { chunkSize: 1_000 },
      }),
    }),
    DefinitionStoreModule.forService({ owns: ['Monitor'], validate: faultsOf, conflicts: conflictsOf }),
    MonitoringCoreModule,
    GrpcModule.forServices([MonitoringCoreModule], [MONITORING_GRPC, DEFINITION_GRPC]),
  ],
})
export class MonitoringModule {}
