// Decoding outside a group: nothing can be dead-lettered, so the unreadable is counted, logged and passed over.
import { randomUUID } from 'node:crypto';
import { decode } from './envelope';
import type { EventLog, LogConsumer } from './log/port';
import type { MessagingLogger } from './logger';
import { metrics } from './metrics';
import type { LogEvent, RawRecord } from './types';

const HEARTBEAT_MS = 1000;

export class EventDecoder {
  private readonly last = new Map<string, number>();

  constructor(
    private readonly topic: string,
    private readonly logger: MessagingLogger,
  ) {}

  /** Undefined for repeats and for what cannot be read. */
  decode(record: RawRecord): LogEvent | undefined {
    const { topic } = this;
    const { partition, offset } = record;
    const decoded = decode(record);
    if (decoded.kind !== 'event') {
      metrics.skippedUnreadable.inc({ topic });
      const fault = decoded.kind === 'undecodable' ? decoded.message : `type ${decoded.type} is not in the catalogue`;
      this.logger.warn({ topic, partition, offset, fault }, 'unreadable event passed over');
      return undefined;
    }
    const { shard, sequence } = decoded.event.producer;
    const producer = `${partition}/${shard}`;
    const last = this.last.get(producer);
    if (last !== undefined && sequence <= last) return undefined;
    this.last.set(producer, sequence);
    return decoded.event;
  }
}

/** Of a group that nobody else joins. */
export function privateConsumer(log: EventLog, service: string, maxWaitMs: number): LogConsumer {
  return log.consumer({
    group: `headrace-reader.${service}.${randomUUID()}`,
    sessionTimeoutMs: 10_000,
    heartbeatMs: HEARTBEAT_MS,
    maxWaitMs,
    concurrentPartitions: 1,
    maxBytesPerPartition: 4 * 1024 * 1024,
    passing: true,
  });
}
