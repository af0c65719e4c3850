import { runService } from '@headrace/service-kit';
import { gatewayConfig } from './inference-gateway.config';
import { InferenceGatewayModule } from './inference-gateway.module';

runService(InferenceGatewayModule, gatewayConfig);
