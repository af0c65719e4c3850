import { TokenTable } from '@headrace/grpc';
import { LOGGER, Readiness, SETTINGS, type Logger } from '@headrace/service-kit';
import {
  Inject,
  Module,
  type BeforeApplicationShutdown,
  type DynamicModule,
  type InjectionToken,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import type { GatewaySettings } from '../inference-gateway.config';
import { tlsOf } from '../tls';
import { RestServer, type RestOptions } from './rest-server';

/** What the service's module gives: the use cases behind REST. */
export type RestBackend = Pick<RestOptions, 'inferTensors' | 'describe' | 'observer'>;

const REST_BACKEND = Symbol('REST_BACKEND');

/** The REST server of the Open Inference Protocol, beside the service's own HTTP port of health and metrics. */
@Module({})
export class RestModule implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private running: RestServer | undefined;

  constructor(
    @Inject(REST_BACKEND) private readonly backend: RestBackend,
    @Inject(SETTINGS) private readonly settings: GatewaySettings,
    @Inject(LOGGER) private readonly logger: Logger,
    private readonly tokens: TokenTable,
    private readonly readiness: Readiness,
  ) {}

  static forBackend(
    imports: NonNullable<DynamicModule['imports']>,
    backend: InjectionToken<RestBackend>,
  ): DynamicModule {
    return {
      module: RestModule,
      imports,
      providers: [{ provide: REST_BACKEND, useExisting: backend }],
    };
  }

  async onApplicationBootstrap(): Promise<void> {
    this.readiness.register('rest', () => (this.running ? undefined : 'the REST server is not bound yet'));
    const { settings } = this;
    const server = new RestServer({
      ...this.backend,
      access: settings.GATEWAY_ACCESS,
      tokens: this.tokens,
      maxBodyBytes: settings.GATEWAY_REST_BODY_MIB * 1_048_576,
      maxBodiesBytes: settings.GATEWAY_REST_BODIES_MIB * 1_048_576,
      tls: tlsOf(settings),
      log: this.logger,
    });
    const port = await server.listen(settings.HTTP_HOST, settings.GATEWAY_REST_PORT);
    this.running = server;
    this.logger.info({ port }, 'REST listens');
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.running?.close(5_000);
  }
}
