import {
  DEFINITION_GRPC,
  definitionMigrations,
  DefinitionStoreModule,
  definitionTables,
} from '@headrace/definition-store';
import { messagingMigrations, MessagingModule } from '@headrace/messaging';
import { DatabaseModule, GrpcModule, LOGGER, SETTINGS, type BaseSettings, type Logger } from '@headrace/service-kit';
import { Module } from '@nestjs/common';
import { ClaimsRepository } from './database/claims.repository';
import { ChampionRow, DatasetVersionRow } from './database/dataset-version.table';
import { InputsRepository } from './database/inputs.repository';
import { CreateTraining1764100000000 } from './database/migrations/1764100000000-create-training';
import { RunRow, RunStepRow } from './database/run.table';
import { RunsRepository } from './database/runs.repository';
import { faultsOf } from './domain/definition-faults';
import { TrainingHandler } from './events-in/training.handler';
import { TrainingGrpc } from './grpc-in/training-grpc';
import { FitWorker } from './jobs/fit-worker';
import { PlanClock } from './jobs/plan-clock';
import { TabularTrainer } from './trainer/tabular-trainer';
import { AdvancePlan } from './use-cases/advance-plan';
import { AnswerRetraining } from './use-cases/answer-retraining';
import { CancelRun } from './use-cases/cancel-run';
import { EndRun } from './use-cases/end-run';
import { FitRun } from './use-cases/fit-run';
import { NoteInputs } from './use-cases/note-inputs';
import { RequestRun } from './use-cases/request-run';
import { StartTraining } from './use-cases/start-training';
import { TakeFeatures } from './use-cases/take-features';

const tables = [DatasetVersionRow, ChampionRow, RunRow, RunStepRow];
const migrations = [CreateTraining1764100000000];
const repositories = [InputsRepository, RunsRepository, ClaimsRepository];
const eventsIn = [TrainingHandler];
const useCases = [
  AdvancePlan,
  RequestRun,
  EndRun,
  NoteInputs,
  AnswerRetraining,
  TakeFeatures,
  StartTraining,
  CancelRun,
  FitRun,
];
const jobs = [PlanClock, FitWorker, TabularTrainer];

const TRAINING_GRPC = Symbol('TRAINING_GRPC');

@Module({
  controllers: eventsIn,
  providers: [
    ...repositories,
    ...useCases,
    ...jobs,
    TrainingGrpc,
    { provide: TRAINING_GRPC, inject: [TrainingGrpc], useFactory: (grpc: TrainingGrpc) => grpc.asService() },
  ],
  exports: [TRAINING_GRPC],
})
class TrainingCoreModule {}

@Module({
  imports: [
    DatabaseModule.forService(
      [...definitionTables, ...tables],
      [...messagingMigrations, ...definitionMigrations, ...migrations],
    ),
    MessagingModule.forServiceAsync({
      inject: [SETTINGS, LOGGER],
      useFactory: (settings: BaseSettings, logger: Logger) => ({
        service: 'training',
        brokers: settings.KAFKA_BROKERS.split(','),
        logger,
      }),
    }),
    DefinitionStoreModule.forService({ owns: ['TrainingPlan'], validate: faultsOf }),
    TrainingCoreModule,
    GrpcModule.forServices([TrainingCoreModule], [TRAINING_GRPC, DEFINITION_GRPC]),
  ],
})
export class TrainingModule {}
