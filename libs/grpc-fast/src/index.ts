export { defaultLimits, type ServerLimits } from './protocol';
export { FastGrpcServer, type FastGrpcOptions } from './server';
