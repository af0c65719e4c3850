import { KafkaClient } from './kafka-client';
import { KafkaLogReader } from './log-reader';
import { silentLogger } from './logger';
import type { LogReader } from './types';

/** A LogReader outside a service: for command-line tools. Close it. */
export function openLogReader(options: {
  /** host:port[,host:port] */
  readonly brokers: string;
  readonly clientId: string;
}): LogReader & { close(): Promise<void> } {
  const client = new KafkaClient(options.clientId, options.brokers.split(','), silentLogger);
  const reader = new KafkaLogReader(client, options.clientId, silentLogger);
  return {
    broadcast: reader.broadcast.bind(reader),
    endOffsets: reader.endOffsets.bind(reader),
    readRange: reader.readRange.bind(reader),
    close: async () => {
      await reader.close();
      await client.close();
    },
  };
}
