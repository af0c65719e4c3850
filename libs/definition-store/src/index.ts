export { DefinitionReader, type Versioned } from './definition-reader';
export { DefinitionService, type DefinitionOwner } from './definition-service';
export {
  DEFINITION_GRPC,
  definitionMigrations,
  DefinitionStoreModule,
  definitionTables,
} from './definition-store.module';
