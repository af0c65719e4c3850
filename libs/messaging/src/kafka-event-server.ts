import { Server } from '@nestjs/microservices';
import { KAFKA_TRANSPORT } from './handlers';

/** Nest transport strategy: `app.connectMicroservice({ strategy: app.get(KafkaEventServer) })`. */
export class KafkaEventServer extends Server {
  constructor() {
    super();
    this.setTransportId(KAFKA_TRANSPORT);
  }

  listen(callback: () => void): void {
    callback();
  }

  /** Resolves when every group that has topics consumes. */
  whenReady(): Promise<void> {
    return Promise.resolve();
  }

  async close(): Promise<void> {}

  on(): void {}

  unwrap<T>(): T {
    throw new Error('the Kafka client stays inside libs/messaging');
  }
}
