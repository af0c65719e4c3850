import { KafkaEventServer } from '@headrace/messaging';
import { runService } from '@headrace/service-kit';
import { monitoringConfig } from './monitoring.config';
import { MonitoringModule } from './monitoring.module';
import { monitoringReplay } from './monitoring.replay';

runService(MonitoringModule, monitoringConfig, { transports: [KafkaEventServer], replay: monitoringReplay });
