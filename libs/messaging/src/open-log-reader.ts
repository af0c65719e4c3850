import { EventLogReader } from './log-reader';
import { silentLogger, type MessagingLogger } from './logger';
import { openLog } from './open-log';
import type { LogReader } from './types';

/** A LogReader outside a service: for command-line tools. Close it. */
export function openLogReader(options: {
  /** host:port[,host:port] */
  readonly brokers: string;
  readonly clientId: string;
  /** Warned of each record that is no event of the catalogue. Default: silent. */
  readonly logger?: MessagingLogger;
}): LogReader & { close(): Promise<void> } {
  const log = openLog(options.brokers.split(','), options.clientId, silentLogger);
  const reader = new EventLogReader(log, options.clientId, options.logger ?? silentLogger);
  return {
    broadcast: reader.broadcast.bind(reader),
    endOffsets: reader.endOffsets.bind(reader),
    readRange: reader.readRange.bind(reader),
    close: async () => {
      await reader.close();
      await log.close();
    },
  };
}
