import { randomInt } from 'node:crypto';
import { DomainError } from '@headrace/contracts';
import { compileExpression } from '@headrace/definitions';
import { DefinitionReader } from '@headrace/definition-store';
import { parseDuration } from '@headrace/event-time';
import { UNIT_OF_WORK, type UnitOfWork } from '@headrace/messaging';
import { Inject, Injectable } from '@nestjs/common';
import {
  heldItem,
  leaseItem,
  listItems,
  saveAnswer,
  type LeasedItem,
  type ListedItem,
} from '../database/label-items.repository';
import { LABEL_REASONS, type LabelReason } from '../domain/label-choice';
import { labelRecord, type AnswerField } from '../domain/label-record';
import { labelAnswersTotal } from '../monitoring-metrics';
import { WatchedMonitors, type WatchedMonitor } from '../watched-monitors';

const MOST_LISTED = 1_000;

/** People take predictions from the queue and say what turned out to be true. */
@Injectable()
export class AnswerLabels {
  constructor(
    @Inject(UNIT_OF_WORK) private readonly work: UnitOfWork,
    private readonly monitors: WatchedMonitors,
    private readonly definitions: DefinitionReader,
  ) {}

  /** Undefined: the queue holds nothing that nobody has. Without a reason each is as likely as the others. */
  async next(monitorName: string, reason: LabelReason | undefined, by: string): Promise<LeasedItem | undefined> {
    const monitor = this.monitorOf(monitorName);
    const seconds = parseDuration(this.labellingOf(monitor).lease) / 1e6;
    const first = randomInt(LABEL_REASONS.length);
    const reasons = reason ? [reason] : [...LABEL_REASONS.slice(first), ...LABEL_REASONS.slice(0, first)];
    return this.work.run(async (transaction) => {
      for (const one of reasons) {
        const item = await leaseItem(transaction, monitor.name, one, by, seconds);
        if (item) return item;
      }
      return undefined;
    });
  }

  /** Returns the label that the answer gives. It reaches the label's stream shortly after. */
  async answer(
    predictionId: string,
    lease: string,
    fields: Readonly<Record<string, AnswerField>>,
    by: string,
  ): Promise<number> {
    const { label, monitor } = await this.work.run(async (transaction) => {
      const item = await heldItem(transaction, predictionId, lease);
      if (!item) throw new DomainError('not-found', 'unknown_item', `prediction "${predictionId}" is not in the queue`);
      if (item.answeredBy !== null) {
        const message = `prediction "${predictionId}" was answered by ${item.answeredBy}`;
        throw new DomainError('precondition', 'answered', message);
      }
      if (!item.holds) {
        const message = `prediction "${predictionId}" is not yours (any more): the lease has expired; ask for the next`;
        throw new DomainError('precondition', 'lease_lost', message);
      }
      const monitor = this.monitorOf(item.monitor);
      const stream = this.definitions.get('DataStream', monitor.source.stream)?.definition.spec;
      if (!stream)
        throw new DomainError('unavailable', 'stream_unknown', `DataStream "${monitor.source.stream}" is unknown`);
      const evaluate = compileExpression(monitor.source.expression, 'record');
      const found = labelRecord(stream, fields, item, evaluate, monitor.source.task);
      if (found.kind === 'faulty') throw new DomainError('invalid', 'bad_answer', found.message);
      await saveAnswer(transaction, predictionId, { by, topic: stream.source.kafka.topic, record: found.record });
      return { label: found.label, monitor: monitor.name };
    });
    labelAnswersTotal.inc({ monitor });
    return label;
  }

  async list(monitorName: string): Promise<ListedItem[]> {
    const monitor = this.monitorOf(monitorName);
    this.labellingOf(monitor);
    return this.work.run((transaction) => listItems(transaction, monitor.name, MOST_LISTED));
  }

  private monitorOf(name: string): WatchedMonitor {
    const monitor = this.monitors.all().find((candidate) => candidate.name === name);
    if (monitor) return monitor;
    throw new DomainError('not-found', 'monitor_unknown', `monitor: "${name}" is not known here`);
  }

  private labellingOf({ name, spec }: WatchedMonitor): NonNullable<WatchedMonitor['spec']['labelling']> {
    if (spec.labelling) return spec.labelling;
    const message = `monitor "${name}" has no queue: add "labelling" to its definition`;
    throw new DomainError('precondition', 'no_labelling', message);
  }
}
