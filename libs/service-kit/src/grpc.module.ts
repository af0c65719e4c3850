import { startGrpcServer, TokenTable, type GrpcServerKind, type GrpcService, type ServerTls } from '@headrace/grpc';
import {
  Inject,
  Module,
  type BeforeApplicationShutdown,
  type DynamicModule,
  type InjectionToken,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import type { BaseSettings } from './config';
import type { Logger } from './logging';
import { Readiness } from './readiness';
import { LOGGER, REPLAY_SCHEMA, SETTINGS } from './service-kit.module';

const GRPC_SERVICES = Symbol('GRPC_SERVICES');
const GRPC_SERVER = Symbol('GRPC_SERVER');

export interface ChosenServer {
  readonly kind: GrpcServerKind;
  /** Undefined: plain connections. */
  readonly tls?: ServerTls | undefined;
}

/**
 * Mounts services on one gRPC server: each token gives a GrpcService (see grpcService in @headrace/grpc). `serverOf` chooses
 * the server by the service's settings.
 */
@Module({})
export class GrpcModule implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private running: Awaited<ReturnType<typeof startGrpcServer>> | undefined;

  constructor(
    @Inject(GRPC_SERVICES) private readonly services: GrpcService[],
    @Inject(GRPC_SERVER) private readonly server: ChosenServer,
    @Inject(SETTINGS) private readonly settings: BaseSettings,
    @Inject(LOGGER) private readonly logger: Logger,
    @Inject(REPLAY_SCHEMA) private readonly replaySchema: string | null,
    private readonly tokens: TokenTable,
    private readonly readiness: Readiness,
  ) {}

  static forServices(
    imports: NonNullable<DynamicModule['imports']>,
    services: readonly InjectionToken[],
    serverOf: (settings: never) => ChosenServer = () => ({ kind: 'standard' }),
  ): DynamicModule {
    return {
      module: GrpcModule,
      imports,
      providers: [
        { provide: GRPC_SERVICES, inject: [...services], useFactory: (...found: GrpcService[]) => found },
        { provide: GRPC_SERVER, inject: [SETTINGS], useFactory: serverOf },
      ],
    };
  }

  async onApplicationBootstrap(): Promise<void> {
    if (this.replaySchema !== null) return;
    this.readiness.register('grpc', () => (this.running ? undefined : 'the gRPC server is not bound yet'));
    this.running = await startGrpcServer({
      host: this.settings.GRPC_HOST,
      port: this.settings.GRPC_PORT,
      server: this.server.kind,
      tls: this.server.tls,
      services: this.services,
      tokens: this.tokens,
      log: this.logger,
      isReady: () => this.readiness.report().ready,
    });
    const { kind, tls } = this.server;
    this.logger.info({ port: this.running.port, server: kind, tls: tls !== undefined }, 'gRPC listens');
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.running?.close(5_000);
  }
}
