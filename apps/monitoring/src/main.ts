import { KafkaEventServer } from '@headrace/messaging';
import { runService } from '@headrace/service-kit';
import { monitoringConfig } from './monitoring.config';
import { MonitoringModule } from './monitoring.module';

runService(MonitoringModule, monitoringConfig, { transports: [KafkaEventServer] });
