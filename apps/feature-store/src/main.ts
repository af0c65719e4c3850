import { KafkaEventServer } from '@headrace/messaging';
import { runService } from '@headrace/service-kit';
import { featureStoreConfig } from './feature-store.config';
import { FeatureStoreModule } from './feature-store.module';

runService(FeatureStoreModule, featureStoreConfig, { transports: [KafkaEventServer] });
