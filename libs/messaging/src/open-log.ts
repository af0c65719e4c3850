import { KafkaLog } from './kafka/kafka-log';
import type { Brokers, EventLog } from './log/port';
import type { MessagingLogger } from './logger';

export function openLog(brokers: Brokers, clientId: string, logger: MessagingLogger): EventLog {
  return 'connect' in brokers ? brokers.connect(clientId, logger) : new KafkaLog(clientId, brokers, logger);
}
