import type { DataSource } from 'typeorm';
import type { HangWatch } from './hang-watch';
import type { MessagingLogger } from './logger';
import type { Tuning } from './options';
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
}
