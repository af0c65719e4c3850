import 'reflect-metadata';
import { events } from '@headrace/contracts';
import type { ModelTrained } from '@headrace/contracts/proto/training/v1/training_events';
import { expectFault, OnEvent, OnEventBatch, OnRecordBatch, takeFault } from './handlers';
import type { Outcome, RawRecord, ReceivedEvent, Transaction } from './types';

class Controller {
  @OnEvent(events.ModelTrained, { deadLetter: 'park-key' })
  async onTrained(event: ReceivedEvent<ModelTrained>, transaction: Transaction): Promise<void> {
    await transaction.query('SELECT 1');
    throw new Error(`no ${event.data.plan}`);
  }

  @OnEventBatch(events.ModelTrained, { deadLetter: 'reorder-safe' })
  async onMany(trained: ReceivedEvent<ModelTrained>[]): Promise<Outcome[]> {
    return trained.map(() => ({ kind: 'done' }));
  }

  @OnRecordBatch('upstream', { deadLetter: 'reorder-safe' })
  async onRecords(_records: RawRecord[], _transaction: Transaction): Promise<void> {}
}

const transaction = { query: async () => [] } as unknown as Transaction;
const event = { data: { plan: 'daily' } } as ReceivedEvent<ModelTrained>;

describe('decorated handlers', () => {
  it('throw as written when a test calls them', async () => {
    await expect(new Controller().onTrained(event, { ...transaction })).rejects.toThrow('no daily');
  });

  it('leave the exception with its stack at the transaction when the runner calls them', async () => {
    expectFault(transaction);
    await new Controller().onTrained(event, transaction);
    const fault = takeFault(transaction);
    expect((fault?.error as Error).stack).toContain('onTrained');
    expect(takeFault(transaction)).toBeUndefined();
  });

  it('keep their names, by which Nest finds their parameter types', () => {
    expect(Controller.prototype.onTrained.name).toBe('onTrained');
  });
});
