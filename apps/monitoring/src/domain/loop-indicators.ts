// How fast the loop of a model turns, in the words of the trade: time to detect and to recover, lead time, deployment rate,
// change-failure rate (Forsgren, Humble & Kim 2018, "Accelerate").
import type { LoopIndicators } from '@headrace/contracts/proto/monitoring/v1/monitoring_service';
import { MICROS } from '@headrace/event-time';

export interface LoopFacts {
  /** Newest first. */
  readonly loops: readonly {
    readonly detectionMicros: number | null;
    readonly detected: number;
    readonly registered: number | null;
    readonly promoted: number | null;
  }[];
  /** Of the last `CHANGES_OF_MICROS`. */
  readonly changes: { readonly deployments: number; readonly failures: number; readonly since: number | null };
  readonly leadMicros: number | undefined;
}

/** What rates are taken over. */
export const CHANGES_OF_MICROS = 30 * MICROS.d;

/** Times of the last loop that got so far. A rate over less than a day is taken as over a whole one: one deployment an hour ago is no 24 a day. */
export function loopIndicators({ loops, changes, leadMicros }: LoopFacts, nowMicros: number): LoopIndicators {
  const seconds = (micros: number | null | undefined): number | undefined =>
    micros === null || micros === undefined ? undefined : micros / MICROS.s;
  const last = (step: 'registered' | 'promoted'): number | undefined => {
    const loop = loops.find((one) => one[step] !== null);
    const at = loop?.[step];
    return loop === undefined || at === null || at === undefined ? undefined : seconds(at - loop.detected);
  };
  const observed = Math.min(Math.max(nowMicros - (changes.since ?? nowMicros), MICROS.d), CHANGES_OF_MICROS);
  const ended = changes.deployments + changes.failures;
  return {
    driftToDetectedSeconds: seconds(loops.find((one) => one.detectionMicros !== null)?.detectionMicros),
    detectedToTrainedSeconds: last('registered'),
    detectedToPromotedSeconds: last('promoted'),
    dataToProductionSeconds: seconds(leadMicros),
    deploymentsPerDay: changes.deployments / (observed / MICROS.d),
    changeFailureRatio: ended === 0 ? undefined : changes.failures / ended,
  };
}
