/** @jest-environment ./apps/inference-gateway/test/native-arrays-environment.cjs */
// Other people's clients meet the other gRPC server.
import { RunningGateway } from './running-gateway';

RunningGateway.server = 'fast';
jest.requireActual('./clients.int-spec');
