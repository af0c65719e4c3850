import { KafkaEventServer } from '@headrace/messaging';
import { runService } from '@headrace/service-kit';
import { ingestionConfig } from './ingestion.config';
import { IngestionModule } from './ingestion.module';

runService(IngestionModule, ingestionConfig, { transports: [KafkaEventServer] });
