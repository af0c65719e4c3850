import { KafkaEventServer } from '@headrace/messaging';
import { runService } from '@headrace/service-kit';
import { registryConfig } from './registry.config';
import { RegistryModule } from './registry.module';

runService(RegistryModule, registryConfig, { transports: [KafkaEventServer] });
