/** @jest-environment ./apps/inference-gateway/test/native-arrays-environment.cjs */
// Everything that holds of the gateway holds on its other gRPC server.
import { RunningGateway } from './running-gateway';

RunningGateway.server = 'fast';
jest.requireActual('./inference-gateway.int-spec');
