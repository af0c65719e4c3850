export { authorise, roles, TokenTable, type Access, type Caller, type Role } from './access';
export { authorization, createClient, isUnavailable, unary, type ClientSettings } from './client';
export {
  grpcService,
  startGrpcServer,
  type CallContext,
  type GrpcLog,
  type GrpcService,
  type UnaryMethods,
} from './server';
export type { CallTrace } from './trace';
export { isServiceError, statusOf } from './status';
