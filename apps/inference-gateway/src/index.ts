export { gatewayConfig } from './inference-gateway.config';
export { CHILD_PROGRAMS, InferenceGatewayModule } from './inference-gateway.module';
