import { topicOf } from '@headrace/contracts';
import { PRODUCER_SEQUENCE, PRODUCER_SHARD } from './envelope';
import { encodeEvent } from './handler-transaction';
import type { LogMessage } from './log/port';
import type { LogWriter } from './log-writer';
import { metrics } from './metrics';
import { HeaderBlock } from './record-bytes';
import { nowMicros } from './rfc3339';
import type { BulkMessage, BulkPublisher, Cause } from './types';

export class LogBulkPublisher implements BulkPublisher {
  constructor(
    private readonly writer: LogWriter,
    private readonly service: string,
  ) {}

  async publish<T>(messages: readonly BulkMessage<T>[]): Promise<Cause[]> {
    const causes: Cause[] = [];
    await this.writer.write(messages.map((message) => this.encode(message, causes)));
    metrics.published.inc({ path: 'bulk' }, messages.length);
    return causes;
  }

  private encode<T>(message: BulkMessage<T>, causes: Cause[]): LogMessage {
    const { key, headers, value, asCause } = encodeEvent(message.definition, message.data, {
      id: message.id,
      cause: message.cause,
      trace: message.trace,
      service: this.service,
      timeMicros: message.timeMicros ?? nowMicros(),
      ...(message.key === undefined ? {} : { key: message.key }),
    });
    causes.push(asCause);
    return {
      topic: topicOf(message.definition.topic, message.stream),
      key,
      value,
      headers: HeaderBlock.of(
        { [PRODUCER_SHARD]: message.producer.shard, [PRODUCER_SEQUENCE]: String(message.producer.sequence) },
        headers,
      ),
      ...(message.partition === undefined ? {} : { partition: message.partition }),
    };
  }
}
