import {
  DefinitionServiceService,
  type DefinitionServiceServer,
} from '@headrace/contracts/proto/definitions/v1/definitions_service';
import { grpcService } from '@headrace/grpc';
import { Module, type DynamicModule } from '@nestjs/common';
import { DefinitionReader } from './definition-reader';
import { DEFINITION_OWNER, DefinitionService, type DefinitionOwner } from './definition-service';
import { DefinitionRow } from './definition.table';
import { CreateDefinitions1763700000000 } from './migrations/1763700000000-create-definitions';

/** The GrpcService (Apply, List) to mount with GrpcModule. */
export const DEFINITION_GRPC = Symbol('DEFINITION_GRPC');

export const definitionTables = [DefinitionRow];
export const definitionMigrations = [CreateDefinitions1763700000000];

/** Global: the reader of all definitions, and the keeper of those that this service owns. Needs DatabaseModule and MessagingModule. */
@Module({})
export class DefinitionStoreModule {
  static forService(owner: DefinitionOwner): DynamicModule {
    return {
      module: DefinitionStoreModule,
      global: true,
      providers: [
        { provide: DEFINITION_OWNER, useValue: owner },
        DefinitionReader,
        DefinitionService,
        {
          provide: DEFINITION_GRPC,
          inject: [DefinitionService],
          useFactory: (service: DefinitionService) =>
            grpcService<DefinitionServiceServer>(DefinitionServiceService, service, {
              apply: ['operator', 'data-scientist'],
              list: 'authenticated',
            }),
        },
      ],
      exports: [DefinitionReader, DEFINITION_GRPC],
    };
  }
}
