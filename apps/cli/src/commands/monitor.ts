import { formatTime } from '@headrace/event-time';
import type { WindowReference, WindowSummary } from '@headrace/contracts/proto/monitoring/v1/monitoring_events';
import { figure } from '../output';

/** One row: what was judged, on how much, and what each declared test found. */
export function describeWindow(window: WindowSummary): Record<string, string | number> {
  const tests = window.evidence.filter((evidence) => evidence.threshold !== 0);
  return {
    window: formatTime(window.startMicros).slice(0, 16),
    signal: window.kind,
    version: window.version,
    predictions: window.predictions,
    labels: window.kind === 'performance' || window.kind === 'concept' ? window.labels : '–',
    tests: window.judged
      ? tests
          .map(
            ({ subject, statistic, value, threshold, crossed, low, high }) =>
              `${crossed ? '! ' : ''}${subject} ${statistic} ${figure(value)}${band(low, high)} (${limit(threshold)})`,
          )
          .join('; ') || '–'
      : whyNot(window),
    against: window.kind === 'drift' ? against(window.reference) : '–',
    falseAlarms: window.falseAlarms === undefined ? '–' : `${(100 * window.falseAlarms).toFixed(1)} %`,
  };
}

function against(reference: WindowReference | undefined): string {
  if (reference === undefined) return 'training';
  const { kind, windows, fromMicros, toMicros, predictions } = reference;
  if (windows === 0) return kind;
  const [from, to] = [fromMicros, toMicros].map((time) => formatTime(time).slice(0, 16));
  return `${kind}: ${windows} windows, ${predictions} predictions, ${from} to ${to}`;
}

function whyNot({ reference }: WindowSummary): string {
  return reference === undefined || reference.windows >= reference.required
    ? 'too few to be judged'
    : `not judged: the reference has ${reference.windows} of ${reference.required} windows`;
}

function band(low: number | undefined, high: number | undefined): string {
  return low === undefined || high === undefined ? '' : ` [${figure(low)}, ${figure(high)}]`;
}

function limit(threshold: number): string {
  return Number.isFinite(threshold)
    ? `threshold ${figure(threshold)}`
    : 'no threshold: the reference has too few windows';
}
