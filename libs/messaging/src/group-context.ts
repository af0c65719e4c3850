import type { DataSource, QueryRunner } from 'typeorm';
import type { HangWatch } from './hang-watch';
import type { MessagingLogger } from './logger';
import type { Tuning } from './options';
import type { OutboxEvent } from './outbox';
import type { GroupRoutes } from './routes';

/** What everything that works for one consumer group shares. */
export interface GroupContext {
  readonly group: string;
  readonly service: string;
  readonly clusterId: string;
  readonly dataSource: DataSource;
  readonly routes: GroupRoutes;
  readonly tuning: Tuning;
  readonly logger: MessagingLogger;
  readonly hangWatch: HangWatch;
  /** Where published events go with the transaction. A replay has one that sends nothing. */
  readonly writeOutbox: (runner: QueryRunner, rows: readonly OutboxEvent[]) => Promise<void>;
  /** Told what became of events when their transaction has committed. */
  readonly settled?: (topic: string, type: string, outcome: string, count: number) => void;
}
