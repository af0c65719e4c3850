import { events } from '@headrace/contracts';
import type { Cause, Transaction } from '@headrace/messaging';
import { scoreOf, type QualityChange } from '../domain/quality';

export function publishQualityChange(
  transaction: Transaction,
  stream: string,
  threshold: number,
  { kind, window }: QualityChange,
  cause: Cause,
): void {
  const common = {
    stream,
    windowStartMicros: window.startMicros,
    windowEndMicros: window.endMicros,
    qualityScore: scoreOf(window),
    threshold,
  };
  if (kind === 'restored') transaction.publish(events.DataQualityRestored, common, { cause });
  else {
    const { accepted, rejected } = window;
    transaction.publish(events.DataQualityDegraded, { ...common, accepted, rejected }, { cause });
  }
}
