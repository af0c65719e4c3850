import type { DataSource } from 'typeorm';
import { inTransaction } from './database';
import { HandlerTransaction } from './handler-transaction';
import type { GroupContext } from './group-context';
import { writeOutbox, type OutboxEvent } from './outbox';
import type { Transaction, UnitOfWork } from './types';

export class PostgresUnitOfWork implements UnitOfWork {
  constructor(
    private readonly dataSource: DataSource,
    private readonly service: string,
    private readonly idleInTransactionMs: number,
    private readonly write: GroupContext['writeOutbox'] = writeOutbox,
  ) {}

  run<R>(work: (transaction: Transaction) => Promise<R>): Promise<R> {
    return inTransaction(this.dataSource, async (runner) => {
      await runner.query(`SELECT set_config('idle_in_transaction_session_timeout', $1, true)`, [
        String(this.idleInTransactionMs),
      ]);
      const outgoing: OutboxEvent[] = [];
      const transaction = new HandlerTransaction(runner, this.service, undefined, outgoing);
      try {
        const result = await work(transaction);
        await this.write(runner, outgoing);
        return result;
      } finally {
        transaction.close();
      }
    });
  }
}
