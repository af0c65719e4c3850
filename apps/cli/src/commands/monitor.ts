// headrace monitor: what each window said, by slice too, what predictions were worth, and what was decided.
import type {
  BusinessMetric,
  SliceGroup,
  WindowReference,
  WindowSummary,
} from '@headrace/contracts/proto/monitoring/v1/monitoring_events';
import type { RetrainingState } from '@headrace/contracts/proto/monitoring/v1/monitoring_service';
import { formatTime } from '@headrace/event-time';
import type { Command } from 'commander';
import type { Clients } from '../connection';
import { figure, printRows } from '../output';

interface MonitorOptions {
  readonly json?: boolean;
  readonly slices?: true;
  readonly metrics?: true;
  readonly fairness?: true;
}

export function addMonitorCommand(
  program: Command,
  withClients: (work: (clients: Clients) => Promise<void>) => Promise<void>,
): void {
  program
    .command('monitor <name>')
    .description('windows and decisions of a monitor; of its newest windows also slices and business metrics')
    .option('--slices', 'only the groups of its slices')
    .option('--fairness', 'only the differences between groups, of every window')
    .option('--metrics', 'only its business metrics, of every window')
    .option('--json')
    .action((monitor: string, { slices, fairness, metrics, json = false }: MonitorOptions) =>
      withClients(async (clients) => {
        const {
          windows,
          decisions,
          retraining: state,
        } = await clients.call(clients.monitoring.getMonitor.bind(clients.monitoring), {
          monitor,
          lastWindows: 50,
        });
        if (slices) return printRows(json ? sliceRows(windows) : describeSlices(windows), json);
        if (fairness) return printRows(windows.flatMap(json ? fairnessRows : describeFairness), json);
        if (metrics) return printRows(windows.flatMap(json ? metricRows : describeMetrics), json);
        printRows(windows.map(describeWindow), json);
        if (json) return;
        const newest = windows.findLast((window) => window.metrics.length > 0);
        const apart = [...new Map(windows.map((window) => [window.kind, window])).values()].flatMap(describeFairness);
        for (const rows of [describeSlices(windows), apart, newest ? describeMetrics(newest) : []]) {
          if (rows.length > 0) printRows(rows, false);
        }
        const retraining = describeRetraining(state);
        if (retraining !== undefined) process.stdout.write(`\n${retraining}\n\n`);
        printRows(
          decisions.map((decision) => ({
            at: formatTime(decision.decidedAtMicros),
            decision: decision.type.split('.').at(-1) ?? '',
            summary: decision.summary,
          })),
          false,
        );
      }),
    );
}

/** One row: what was judged, on how much, and what each declared test found. */
export function describeWindow(window: WindowSummary): Record<string, string | number> {
  const tests = window.evidence.filter((evidence) => evidence.threshold !== 0 || evidence.crossed);
  return {
    window: span(window),
    signal: window.kind,
    version: window.version,
    predictions: window.predictions,
    labels: window.kind === 'performance' || window.kind === 'concept' ? window.labels : '–',
    tests: window.judged
      ? tests
          .map(
            ({ subject, statistic, value, threshold, crossed, low, high, notJudged }) =>
              `${crossed ? '! ' : ''}${subject} ${statistic} ${figure(value)}${band(low, high)} (${limit(threshold, notJudged)})`,
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
  return { ...ofWindow(window), slice, group, rows };
}

/** What the retraining policy does now, and why; undefined: there is none. */
export function describeRetraining(state: RetrainingState | undefined): string | undefined {
  if (state === undefined) return undefined;
  const { waits, reason, requestsWithoutPerson: inARow, maximumWithoutPerson: maximum } = state;
  const said = waits === '' ? `about to be requested: ${reason}` : `not requested: ${reason}`;
  const bound = maximum === undefined ? '' : ` of at most ${maximum}`;
  return `retraining: ${said}; ${inARow}${bound} automatic requests since a person acted`;
}

/** How far the groups of each slice lie apart: a row for each slice and measure. */
export function describeFairness(window: WindowSummary): Record<string, string | number>[] {
  return window.fairness.map(({ slice, measure, gap, lowest, highest }) => ({
    ...ofWindow(window),
    slice,
    measure,
    difference: `${figure(gap?.value)}${band(gap?.low, gap?.high)}`,
    lowest,
    highest,
  }));
}

/** The same for programs. */
export function fairnessRows(window: WindowSummary): Record<string, string | number>[] {
  return window.fairness.map(({ gap, ...between }) => ({ ...ofWindow(window), ...between, ...gap }));
}

function ofWindow(window: WindowSummary) {
  return { window: span(window), signal: window.kind, version: window.version };
}

/** What the labelled predictions of a window were worth: a row for each metric. */
export function describeMetrics(window: WindowSummary): Record<string, string | number>[] {
  return window.metrics.map((metric) => ({
    ...ofMetric(window, metric),
    value:
      metric.value === undefined
        ? '–'
        : `${figure(metric.value.value)}${band(metric.value.low, metric.value.high)} ${metric.unit}`.trimEnd(),
    predictions: metric.rows,
    failed: metric.failed === 0 ? '–' : `${metric.failed}: ${metric.failure}`,
  }));
}

/** The same for programs. */
export function metricRows(window: WindowSummary): Record<string, string | number>[] {
  return window.metrics.map((metric) => {
    const { rows, failed, failure, unit, value } = metric;
    return { ...ofMetric(window, metric), unit, rows, failed, failure, ...value };
  });
}

function ofMetric(window: WindowSummary, { name, aggregate }: BusinessMetric) {
  return { window: span(window), version: window.version, metric: name, aggregate };
}

/** Where it begins; of a window by count, which is as long as it takes, also where it ends, and whether its maximum age ended it. */
function span({ startMicros, endMicros, closedBy }: WindowSummary): string {
  if (closedBy === '') return formatTime(startMicros).slice(0, 16);
  const [from, to] = [startMicros, endMicros].map((time) => formatTime(time).slice(0, 19));
  return `${from} to ${to}${closedBy === 'age' ? ' (by age)' : ''}`;
}

function against(reference: WindowReference | undefined): string {
  if (reference === undefined) return 'training';
  const { kind, windows, fromMicros, toMicros, predictions } = reference;
  if (windows === 0) return kind;
  const [from, to] = [fromMicros, toMicros].map((time) => formatTime(time).slice(0, 16));
  return `${kind}: ${windows} windows, ${predictions} predictions, ${from} to ${to}`;
}

function whyNot({ reference, evidence }: WindowSummary): string {
  const tests = evidence.filter(({ threshold }) => threshold !== 0);
  const reasons = new Set(tests.map(({ notJudged }) => notJudged));
  if (reasons.size > 0 && !reasons.has(undefined)) return `not judged: ${[...reasons].join('; ')}`;
  return reference === undefined || reference.windows >= reference.required
    ? 'too few to be judged'
    : `not judged: the reference has ${reference.windows} of ${reference.required} windows`;
}

function band(low: number | undefined, high: number | undefined): string {
  return low === undefined || high === undefined ? '' : ` [${figure(low)}, ${figure(high)}]`;
}

function limit(threshold: number, notJudged: string | undefined): string {
  if (notJudged !== undefined) return `not judged: ${notJudged}`;
  return Number.isFinite(threshold)
    ? `threshold ${figure(threshold)}`
    : 'no threshold: the reference has too few windows';
}
