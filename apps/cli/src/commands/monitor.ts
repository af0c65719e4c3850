import { formatTime } from '@headrace/event-time';
import type {
  SliceGroup,
  WindowReference,
  WindowSummary,
} from '@headrace/contracts/proto/monitoring/v1/monitoring_events';
import type { RetrainingState } from '@headrace/contracts/proto/monitoring/v1/monitoring_service';
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

/** Shown of groups, as far as the task has them; JSON has every measure. */
const OF_GROUPS = ['positive_share', 'auc', 'brier', 'accuracy', 'recall', 'mae', 'rmse', 'calibration'];

/** The groups of the newest window of each kind: a row each. */
export function describeSlices(windows: readonly WindowSummary[]): Record<string, string | number>[] {
  const newest = new Map(windows.filter((one) => one.slices.length > 0).map((window) => [window.kind, window]));
  return [...newest.values()].flatMap((window) => {
    const shown = OF_GROUPS.filter((name) => window.slices.some(({ measures }) => measures[name]));
    return window.slices.map((group) => ({
      ...placeOf(window, group),
      measures:
        shown
          .flatMap((name) => {
            const measure = group.measures[name];
            return measure ? [`${name} ${figure(measure.value)}${band(measure.low, measure.high)}`] : [];
          })
          .join('; ') || 'too few to be measured',
    }));
  });
}

/** Every measure of every group of every window that has them: `low` and `high` beside the value. */
export function sliceRows(windows: readonly WindowSummary[]): Record<string, string | number>[] {
  return windows.flatMap((window) =>
    window.slices.map((group) => {
      const measures = Object.entries(group.measures).flatMap(([name, { value, low, high }]) => [
        [name, value] as const,
        [`${name}_low`, low] as const,
        [`${name}_high`, high] as const,
      ]);
      return { ...placeOf(window, group), ...Object.fromEntries(measures) };
    }),
  );
}

function placeOf(window: WindowSummary, { slice, group, rows }: SliceGroup) {
  return {
    window: formatTime(window.startMicros).slice(0, 16),
    signal: window.kind,
    version: window.version,
    slice,
    group,
    rows,
  };
}

/** What the retraining policy does now, and why; undefined: there is none. */
export function describeRetraining(state: RetrainingState | undefined): string | undefined {
  if (state === undefined) return undefined;
  const { waits, reason, requestsWithoutPerson: inARow, maximumWithoutPerson: maximum } = state;
  const said = waits === '' ? `about to be requested: ${reason}` : `not requested: ${reason}`;
  const bound = maximum === undefined ? '' : ` of at most ${maximum}`;
  return `retraining: ${said}; ${inARow}${bound} automatic requests since a person acted`;
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
