import { KafkaEventServer } from '@headrace/messaging';
import { runService } from '@headrace/service-kit';
import { trainingConfig } from './training.config';
import { TrainingModule } from './training.module';

runService(TrainingModule, trainingConfig, { transports: [KafkaEventServer] });
