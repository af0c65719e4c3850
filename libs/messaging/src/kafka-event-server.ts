import { Server, type MessageHandler } from '@nestjs/microservices';
import { isObservable, lastValueFrom } from 'rxjs';
import { KAFKA_TRANSPORT, type Binding } from './handlers';
import type { MessagingRuntime } from './messaging-runtime';
import type { ReplayRequest, ReplaySummary } from './replay/replay-types';

/**
 * Nest transport strategy: `app.connectMicroservice({ strategy: app.get(KafkaEventServer) })`. Guards, pipes and
 * interceptors of Nest apply to handlers as everywhere.
 */
export class KafkaEventServer extends Server {
  /** Nest shall not log what the runner treats and logs by itself. */
  override readonly propagatesEventHandlerErrors = true;

  constructor(private readonly runtime: MessagingRuntime) {
    super();
    this.setTransportId(KAFKA_TRANSPORT);
  }

  override addHandler(
    pattern: unknown,
    callback: MessageHandler,
    isEventHandler = false,
    extras: Record<string, unknown> = {},
  ): void {
    const binding = extras['binding'] as Binding | undefined;
    if (!binding)
      throw new TypeError(`${String(pattern)}: handlers are declared with @OnEvent, @OnEventBatch, @OnRecordBatch`);
    super.addHandler(pattern, callback, isEventHandler, extras);
    this.runtime.bind(binding, async (argument, transaction) => {
      const result: unknown = await callback(argument, transaction);
      return isObservable(result) ? lastValueFrom(result, { defaultValue: undefined }) : result;
    });
  }

  /** Returns at once; see whenReady and MESSAGING_HEALTH. */
  listen(callback: () => void): void {
    this.runtime.consume();
    callback();
  }

  /** Resolves when every group that has topics consumes. */
  whenReady(): Promise<void> {
    return this.runtime.whenReady();
  }

  /** For /readyz: what handling events waits for now. */
  notReady(): string | undefined {
    const { ready, reasons } = this.runtime.status.status();
    return ready ? undefined : reasons.join('; ');
  }

  /** Only in a process that was started to replay (MessagingOptions.replay), after it listens. */
  replay(request: ReplayRequest, signal: AbortSignal): Promise<ReplaySummary> {
    return this.runtime.replay(request, signal);
  }

  close(): Promise<void> {
    return this.runtime.stop();
  }

  on(): void {
    throw new Error('the Kafka client stays inside libs/messaging');
  }

  unwrap<T>(): T {
    throw new Error('the Kafka client stays inside libs/messaging');
  }
}
