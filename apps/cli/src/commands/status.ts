// headrace status: is each model still good, and how fast does its loop turn.
import type { FalseAlarmRun } from '@headrace/contracts/proto/monitoring/v1/monitoring_events';
import type { MonitorStatus } from '@headrace/contracts/proto/monitoring/v1/monitoring_service';
import { formatTime } from '@headrace/event-time';
import type { Command } from 'commander';
import type { Clients } from '../connection';
import { figure, printRows } from '../output';

export function addStatusCommand(
  program: Command,
  withClients: (work: (clients: Clients) => Promise<void>) => Promise<void>,
): void {
  program
    .command('status')
    .description(
      'is each model still good: signals, performance (measured, and estimated before labels), the pace of its loop',
    )
    .option('--json')
    .action((options: { json?: true }) =>
      withClients(async (clients) => {
        const { monitors } = await clients.call(clients.monitoring.getStatus.bind(clients.monitoring), {});
        const json = options.json === true;
        if (json)
          return printRows(
            monitors.map((one) => ({ ...describeHealth(one), ...describeLoop(one) })),
            true,
          );
        printRows(monitors.map(describeHealth), false);
        if (monitors.length === 0) return;
        process.stdout.write('\n');
        printRows(monitors.map(describeLoop), false);
      }),
    );
}

/** One row: does it stand, how is it measured, how much is known. */
export function describeHealth(status: MonitorStatus): Record<string, string | number> {
  const { monitor, championVersion, standing, windows, predictions, labelsJoined, expectedRun } = status;
  const windowOf = (kind: string) => windows.find((window) => window.kind === kind);
  const measures = (kind: string): string => {
    const window = windowOf(kind);
    const shown = (window?.evidence ?? []).filter(({ statistic }) => MAIN.has(statistic));
    if (!window || shown.length === 0) return '–';
    const values = shown.map(({ statistic, value, low, high }) => {
      const band = low === undefined || high === undefined ? '' : ` [${figure(low)}, ${figure(high)}]`;
      return `${statistic} ${figure(value)}${band}`;
    });
    return `${values.join(', ')} to ${formatTime(window.endMicros).slice(0, 16)}`;
  };
  return {
    monitor,
    version: championVersion === 0 ? '–' : championVersion,
    signals: standing.join(', ') || 'quiet',
    measured: measures('performance'),
    estimated: measures('estimate'),
    labelled: predictions === 0 ? '–' : `${((100 * labelsJoined) / predictions).toFixed(1)} %`,
    falseAlarmEvery: run(expectedRun),
  };
}

/** Of windows by count in predictions. */
function run(expected: FalseAlarmRun | undefined): string {
  if (expected === undefined) return 'not known';
  const { seconds, predictions } = expected;
  return `at least ${predictions > 0 ? `${Math.round(predictions)} predictions` : duration(seconds)}`;
}

const MAIN: ReadonlySet<string> = new Set(['auc', 'brier', 'f1', 'mae', 'rmse']);

/** One row: the times of the last loop, and rates of the last 30 days. */
export function describeLoop({ model, loop }: MonitorStatus): Record<string, string | number> {
  return {
    model,
    driftToDetected: duration(loop?.driftToDetectedSeconds),
    detectedToTrained: duration(loop?.detectedToTrainedSeconds),
    timeToRecover: duration(loop?.detectedToPromotedSeconds),
    dataToProduction: duration(loop?.dataToProductionSeconds),
    deploymentsPerDay: (loop?.deploymentsPerDay ?? 0).toFixed(2),
    changesFailed: loop?.changeFailureRatio === undefined ? '–' : `${(100 * loop.changeFailureRatio).toFixed(0)} %`,
  };
}

/** 93 → 1.6 min; two figures are enough. */
function duration(seconds: number | undefined): string {
  if (seconds === undefined) return '–';
  for (const [unit, length] of [
    ['d', 86_400],
    ['h', 3_600],
    ['min', 60],
  ] as const) {
    if (seconds >= length) return `${(seconds / length).toFixed(1)} ${unit}`;
  }
  return `${seconds.toFixed(1)} s`;
}
