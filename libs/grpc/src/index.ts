export { authorise, roles, TokenTable, type Access, type Caller, type Role } from './access';
export type { Admission, Refusal } from './admission';
export { authorization, createClient, isUnavailable, unary, type ClientSettings } from './client';
export { startGrpcServer, type GrpcLog } from './server';
export { grpcService, type CallContext, type GrpcService, type UnaryMethods } from './service';
export type { CallTrace } from './trace';
export { isServiceError, statusOf } from './status';
export { tlsOptions, type GrpcServerKind, type ServerTls } from './transport';
