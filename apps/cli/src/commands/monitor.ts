import { formatTime } from '@headrace/event-time';
import type { WindowSummary } from '@headrace/contracts/proto/monitoring/v1/monitoring_events';
import { figure } from '../output';

/** One row: what was judged, on how much, and what each declared test found. */
export function describeWindow(window: WindowSummary): Record<string, string | number> {
  const tests = window.evidence.filter((evidence) => evidence.threshold !== 0);
  return {
    window: formatTime(window.startMicros).slice(0, 16),
    signal: window.kind,
    version: window.version,
    predictions: window.predictions,
    labels: window.kind === 'performance' ? window.labels : '–',
    tests: window.judged
      ? tests
          .map(
            ({ subject, statistic, value, threshold, crossed }) =>
              `${crossed ? '! ' : ''}${subject} ${statistic} ${figure(value)} (threshold ${figure(threshold)})`,
          )
          .join('; ') || '–'
      : 'too few to be judged',
  };
}
