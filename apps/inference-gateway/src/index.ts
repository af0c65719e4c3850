export { gatewayConfig } from './inference-gateway.config';
export { InferenceGatewayModule, VALIDATION_CHILD } from './inference-gateway.module';
