import { KafkaEventServer } from '@headrace/messaging';
import { runService } from '@headrace/service-kit';
import { featureStoreConfig } from './feature-store.config';
import { FeatureStoreModule } from './feature-store.module';
import { featureStoreReplay } from './feature-store.replay';

runService(FeatureStoreModule, featureStoreConfig, { transports: [KafkaEventServer], replay: featureStoreReplay });
