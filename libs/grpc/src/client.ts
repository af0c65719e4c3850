import { credentials, Metadata, status, type Client, type ClientOptions, type ServiceError } from '@grpc/grpc-js';
import { traceCall, type CallTrace } from './trace';

export interface ClientSettings {
  /** host:port */
  readonly address: string;
  readonly token?: string;
}

type ClientConstructor<C extends Client> = new (
  address: string,
  channelCredentials: ReturnType<typeof credentials.createInsecure>,
  options?: ClientOptions,
) => C;

/** Tried again: the call did not reach a server, or a server that was going away. Read-only and idempotent calls only. */
const RETRY_SERVICE_CONFIG = JSON.stringify({
  methodConfig: [
    {
      name: [{}],
      retryPolicy: {
        maxAttempts: 3,
        initialBackoff: '0.05s',
        maxBackoff: '0.5s',
        backoffMultiplier: 3,
        retryableStatusCodes: ['UNAVAILABLE'],
      },
    },
  ],
});

/** A client whose channel reconnects within a second. `retry` only where every method is idempotent. */
export function createClient<C extends Client>(
  constructor: ClientConstructor<C>,
  settings: ClientSettings,
  retry = false,
): C {
  return new constructor(settings.address, credentials.createInsecure(), {
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 1_000,
    'grpc.max_receive_message_length': 64 * 1024 * 1024,
    ...(retry ? { 'grpc.service_config': RETRY_SERVICE_CONFIG } : { 'grpc.enable_retries': 0 }),
  });
}

export function authorization(token: string | undefined): Metadata {
  const metadata = new Metadata();
  if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
  return metadata;
}

type UnaryCall<Request, Response> = (
  request: Request,
  metadata: Metadata,
  options: { deadline: number },
  callback: (error: ServiceError | null, response: Response) => void,
) => unknown;

/** One unary call as a promise: `unary(client.predict.bind(client), request, { timeoutMs: 1000, metadata })`. */
export function unary<Request, Response>(
  call: UnaryCall<Request, Response>,
  request: Request,
  options: { readonly timeoutMs: number; readonly metadata?: Metadata; readonly trace?: CallTrace },
): Promise<Response> {
  return new Promise((resolve, reject) => {
    const { metadata, end } = traceCall(options.metadata ?? new Metadata(), options.trace);
    call(request, metadata, { deadline: Date.now() + options.timeoutMs }, (error, response) => {
      end?.(error);
      if (error) reject(error);
      else resolve(response);
    });
  });
}

/** The other side is away or too late: a declared fallback is in order. */
export function isUnavailable(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === status.UNAVAILABLE || code === status.DEADLINE_EXCEEDED || code === status.CANCELLED;
}
