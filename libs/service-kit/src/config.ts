import { z } from 'zod';

/** A number in the environment. */
const port = (fallback: number) => z.coerce.number().int().min(0).max(65_535).default(fallback);

/** Empty stands for unset, as everywhere in OpenTelemetry's environment. */
const optionalUrl = z.union([z.literal(''), z.url({ protocol: /^https?$/ })]).optional();

/** Settings that every service has. Ports 0 = chosen by the system (and printed in the log). */
export const baseSettings = {
  HTTP_HOST: z.string().default('127.0.0.1'),
  /** /healthz, /readyz, /metrics */
  HTTP_PORT: port(0),
  GRPC_HOST: z.string().default('127.0.0.1'),
  GRPC_PORT: port(0),
  /** host:port[,host:port] */
  KAFKA_BROKERS: z.string().min(1),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error']).default('info'),
  /** JSON list of {sha256, subject, roles}: the bearer tokens that are accepted. Without it only public methods answer. */
  HEADRACE_TOKENS_FILE: z.string().min(1).optional(),
  /** The token that this service shows to others. */
  HEADRACE_TOKEN: z.string().min(1).optional(),
  /** Folder of the artifact store, shared by the services. */
  HEADRACE_ARTIFACTS: z.string().min(1),
  /**
   * OpenTelemetry collector that takes OTLP over HTTP, such as http://127.0.0.1:4318: spans are exported to it. Unset or
   * empty: none are made. The SDK reads the other OTEL_ variables of the specification itself.
   */
  OTEL_EXPORTER_OTLP_ENDPOINT: optionalUrl,
  /** The same for spans alone, with the whole path. */
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: optionalUrl,
  /** Which new traces are recorded, and the part of them (0 to 1) for a ratio. */
  OTEL_TRACES_SAMPLER: z
    .enum([
      '',
      'always_on',
      'always_off',
      'traceidratio',
      'parentbased_always_on',
      'parentbased_always_off',
      'parentbased_traceidratio',
    ])
    .optional(),
  OTEL_TRACES_SAMPLER_ARG: z.union([z.literal(''), z.coerce.number().min(0).max(1)]).optional(),
  /** "1": stop when stdin closes, so that nothing outlives a supervisor that was killed. */
  HEADRACE_PARENT_WATCH: z.enum(['0', '1']).default('0'),
  /** Seconds that a shutdown may take. */
  SHUTDOWN_SECONDS: z.coerce.number().min(1).max(600).default(15),
} as const;

/** For services with a database of their own schema. */
export const databaseSettings = {
  /** postgres://user:password@host:port/database */
  DATABASE_URL: z.string().regex(/^postgres(ql)?:\/\//, 'expected postgres://user:password@host:port/database'),
  DATABASE_POOL_SIZE: z.coerce.number().int().min(2).max(100).default(10),
} as const;

export interface ServiceConfig<S extends z.ZodRawShape> {
  readonly service: string;
  readonly settings: z.ZodObject<S>;
}

export type BaseSettings = z.output<z.ZodObject<typeof baseSettings>>;
export type DatabaseSettings = z.output<z.ZodObject<typeof databaseSettings>>;

/** Declares a service's environment: `defineConfig('training', { ...baseSettings, ...databaseSettings, TRAINER: z.string() })`. */
export function defineConfig<S extends z.ZodRawShape>(service: string, shape: S): ServiceConfig<S> {
  return { service, settings: z.object(shape) };
}

/** Reads the environment; throws one error that lists every fault. */
export function readConfig<S extends z.ZodRawShape>(
  config: ServiceConfig<S>,
  environment: Readonly<Record<string, string | undefined>>,
): z.output<z.ZodObject<S>> {
  const result = config.settings.safeParse(environment);
  if (result.success) return result.data;
  const faults = result.error.issues.map((issue) => `  ${issue.path.join('.')}: ${issue.message}`);
  throw new Error(`${config.service} cannot start, its environment is wrong:\n${faults.join('\n')}`);
}
