// grpc.health.v1: what probes and load balancers ask. Every service of a server is as ready as its process.
import type { handleServerStreamingCall, ServiceDefinition } from '@grpc/grpc-js';
import { DomainError } from '@headrace/contracts';
import {
  HealthCheckResponse_ServingStatus as ServingStatus,
  HealthService,
  type HealthCheckRequest,
  type HealthCheckResponse,
  type HealthServer,
} from '@headrace/contracts/grpc/health/v1/health';
import { serviceName } from './reflection';
import { grpcService, type GrpcService } from './service';

/** How often a watched status is looked at. */
const WATCH_MS = 500;

export function healthService(mounted: readonly ServiceDefinition[], isReady: () => boolean): GrpcService {
  const names = ['', ...[...mounted, HealthService].map(serviceName)];
  const now = (): ServingStatus => (isReady() ? ServingStatus.SERVING : ServingStatus.NOT_SERVING);
  const watch: handleServerStreamingCall<HealthCheckRequest, HealthCheckResponse> = (call) => {
    const known = names.includes(call.request.service);
    let told: ServingStatus | undefined;
    const tell = (): void => {
      const status = known ? now() : ServingStatus.SERVICE_UNKNOWN;
      if (status !== told) call.write({ status });
      told = status;
    };
    tell();
    const timer = setInterval(tell, WATCH_MS).unref();
    for (const end of ['cancelled', 'error', 'close']) call.on(end, () => clearInterval(timer));
  };
  return {
    ...grpcService<HealthServer>(
      HealthService,
      {
        check: async ({ service }) => {
          if (names.includes(service)) return { status: now() };
          throw new DomainError('not-found', 'unknown_service', `there is no service "${service.slice(0, 200)}" here`);
        },
        list: () => Promise.resolve({ statuses: Object.fromEntries(names.map((name) => [name, { status: now() }])) }),
      },
      { check: 'public', list: 'public' },
    ),
    raw: { watch },
  };
}
