// Obeying what a person asked about a letter, in the transaction that moves the position of the redrive topic.
import type { QueryRunner } from 'typeorm';
import { settledRow } from './dead-letters';
import type { GroupContext } from './group-context';
import { classify } from './items';
import { claimLetter, closeLetter } from './letter-table';
import type { Observations } from './observations';
import type { OutboxEvent } from './outbox';
import { revive, unpark } from './parked';
import type { PartitionId } from './positions';
import type { RedriveCommand } from './redrive-command';
import type { RawRecord } from './types';

/** What a transaction tells the world when it commits. */
interface Results {
  readonly outgoing: OutboxEvent[];
  readonly observations: Observations;
}

/**
 * A redrive puts the event before the retrier, which runs the handler, and after it whatever waits behind its key. A drop
 * forgets it. A command about a letter that is not open (any more) does nothing.
 */
export async function obey(
  context: GroupContext,
  runner: QueryRunner,
  command: RedriveCommand,
  results: Results,
): Promise<void> {
  const { group, routes, logger } = context;
  const { action, letterId, record, by, reason } = command;
  const id: PartitionId = { group, topic: record.topic, partition: record.partition };
  const told = { ...id, offset: record.offset, letterId, by, reason };
  if (!(await claimLetter(runner, id, record.offset, letterId, command))) {
    results.observations.settled('redrive', 'repeat');
    logger.warn(told, `${action} of a letter that is settled or unknown here: nothing is done`);
    return;
  }
  logger.info(told, `dead letter: ${action}`);
  results.observations.settled('redrive', action);
  if (action === 'redrive') {
    const item = classify(record, routes);
    const blocksKey = item.kind !== 'skip' && item.route?.deadLetter === 'park-key';
    await revive(runner, group, record, { letterId, blocksKey });
    return;
  }
  await unpark(runner, id, record.offset);
  await settle(runner, id, record, results, 'dropped');
}

/** The handler has done it: says so behind its letter, in the transaction of its effect. */
export function settleRedriven(
  runner: QueryRunner,
  id: PartitionId,
  record: RawRecord,
  results: Results,
): Promise<void> {
  return settle(runner, id, record, results, 'redriven');
}

async function settle(
  runner: QueryRunner,
  id: PartitionId,
  record: RawRecord,
  results: Results,
  outcome: 'redriven' | 'dropped',
): Promise<void> {
  const letter = await closeLetter(runner, id, record.offset);
  if (letter) results.outgoing.push(settledRow(record, id.group, letter, { ...letter, outcome }));
}
