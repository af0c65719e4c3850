import {
  DEFINITION_GRPC,
  definitionMigrations,
  DefinitionStoreModule,
  definitionTables,
} from '@headrace/definition-store';
import { messagingMigrations, MessagingModule } from '@headrace/messaging';
import { DatabaseModule, GrpcModule, LOGGER, SETTINGS, type BaseSettings, type Logger } from '@headrace/service-kit';
import { Module } from '@nestjs/common';
import { AuditRepository } from './database/audit.repository';
import {
  EndpointHistoryRow,
  EndpointRow,
  RolloutAnalysisRow,
  RolloutRow,
  WaitingVersionRow,
} from './database/endpoint.table';
import { EndpointsRepository } from './database/endpoints.repository';
import { EventIndexRepository } from './database/event-index.repository';
import { CreateRegistry1764100000000 } from './database/migrations/1764100000000-create-registry';
import { IndexEffects1764200000000 } from './database/migrations/1764200000000-index-effects';
import { RolloutStages1764300000000 } from './database/migrations/1764300000000-rollout-stages';
import { RequestedJobs1764400000000 } from './database/migrations/1764400000000-requested-jobs';
import { WaitingReplays1764500000000 } from './database/migrations/1764500000000-waiting-replays';
import { AliasRow, GateEvaluationRow, ModelVersionRow } from './database/version.table';
import { VersionsRepository } from './database/versions.repository';
import { WaitingReplaysRepository } from './database/waiting-replays.repository';
import { faultsOf } from './domain/definition-faults';
import { DecisionsHandler } from './events-in/decisions.handler';
import { EventIndexHandler } from './events-in/event-index.handler';
import { RegistryPublisher } from './events-out/registry-publisher';
import { RegistryGrpc } from './grpc-in/registry-grpc';
import { ConcludeGates } from './use-cases/conclude-gates';
import { ControlRollout } from './use-cases/control-rollout';
import { EndPauses } from './use-cases/end-pauses';
import { FollowDefinitions } from './use-cases/follow-definitions';
import { HeedAnalysis } from './use-cases/heed-analysis';
import { HeedLoadFailure } from './use-cases/heed-load-failure';
import { HeedReplay } from './use-cases/heed-replay';
import { RegisterVersion } from './use-cases/register-version';
import { RollOut } from './use-cases/roll-out';
import { takeInDefinition } from './use-cases/take-in-definition';
import { StartRollout } from './use-cases/start-rollout';
import { StartScoring } from './use-cases/start-scoring';
import { PausesTimer } from './timers/pauses.timer';
import { ReplaysTimer } from './timers/replays.timer';
import { WaiveGates } from './use-cases/waive-gates';

const tables = [
  ModelVersionRow,
  GateEvaluationRow,
  AliasRow,
  EndpointRow,
  RolloutRow,
  WaitingVersionRow,
  RolloutAnalysisRow,
  EndpointHistoryRow,
];
const migrations = [
  CreateRegistry1764100000000,
  IndexEffects1764200000000,
  RolloutStages1764300000000,
  RequestedJobs1764400000000,
  WaitingReplays1764500000000,
];
const repositories = [
  VersionsRepository,
  EndpointsRepository,
  AuditRepository,
  EventIndexRepository,
  WaitingReplaysRepository,
];
const eventsIn = [DecisionsHandler, EventIndexHandler];
const eventsOut = [RegistryPublisher];
const useCases = [
  RegisterVersion,
  ConcludeGates,
  HeedReplay,
  WaiveGates,
  RollOut,
  HeedAnalysis,
  HeedLoadFailure,
  EndPauses,
  ControlRollout,
  StartRollout,
  StartScoring,
  FollowDefinitions,
];
const timers = [PausesTimer, ReplaysTimer];

const REGISTRY_GRPC = Symbol('REGISTRY_GRPC');

@Module({
  controllers: eventsIn,
  providers: [
    ...repositories,
    ...eventsOut,
    ...useCases,
    ...timers,
    RegistryGrpc,
    { provide: REGISTRY_GRPC, inject: [RegistryGrpc], useFactory: (grpc: RegistryGrpc) => grpc.asService() },
  ],
  exports: [REGISTRY_GRPC],
})
class RegistryCoreModule {}

@Module({
  imports: [
    DatabaseModule.forService(
      [...definitionTables, ...tables],
      [...messagingMigrations, ...definitionMigrations, ...migrations],
    ),
    MessagingModule.forServiceAsync({
      inject: [SETTINGS, LOGGER],
      useFactory: (settings: BaseSettings, logger: Logger) => ({
        service: 'registry',
        brokers: settings.KAFKA_BROKERS.split(','),
        logger,
      }),
    }),
    DefinitionStoreModule.forService({ owns: ['Model', 'Endpoint'], validate: faultsOf, onChanged: takeInDefinition }),
    RegistryCoreModule,
    GrpcModule.forServices([RegistryCoreModule], [REGISTRY_GRPC, DEFINITION_GRPC]),
  ],
})
export class RegistryModule {}
