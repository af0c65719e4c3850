export { gatewayConfig } from './inference-gateway.config';
export { InferenceGatewayModule } from './inference-gateway.module';
export { CHILD_PROGRAMS } from './model-providers';
