// headrace replay --endpoint: what a version would have answered to past requests whose labels have come since.
import type { ReplayedGroup, ReplayVersionResponse } from '@headrace/contracts/proto/monitoring/v1/monitoring_service';
import type { Estimate } from '@headrace/contracts/proto/common/v1/common';
import { formatTime, parseDuration } from '@headrace/event-time';
import type { Clients } from '../connection';
import { figure, printRows } from '../output';

export interface ReplayVersionOptions {
  readonly endpoint: string;
  readonly version?: number;
  readonly since?: string;
  readonly fromTime?: string;
  readonly to?: string;
  readonly slice: readonly string[];
  readonly includeTraining: boolean;
  readonly atLeast?: number;
  readonly json: boolean;
}

/** Hundreds of thousands of rows through a model. */
const TIMEOUT_MS = 600_000;
/** Shown of each version, if the task has it. */
const SHOWN = ['auc', 'brier', 'log_loss', 'mae', 'rmse', 'calibration'];

/** Exit code: 2 when the improvement is not surely at least what was asked for. */
export async function replayVersion(clients: Clients, options: ReplayVersionOptions): Promise<number> {
  const { endpoint, version, since, fromTime, to } = options;
  if (version === undefined) throw new Error('--endpoint needs --version <n>: which version is asked');
  if (since !== undefined && fromTime !== undefined) throw new Error('expected either --since or --from-time');
  const answer = await clients.call(
    clients.monitoring.replayVersion.bind(clients.monitoring),
    {
      endpoint,
      version,
      fromEventTimeMicros: fromTime === undefined ? 0 : microsOf('--from-time', fromTime),
      toEventTimeMicros: to === undefined ? 0 : microsOf('--to', to),
      sinceMicros: since === undefined ? 0 : durationOf(since),
      slices: [...options.slice],
      includeTraining: options.includeTraining,
    },
    { timeoutMs: TIMEOUT_MS },
  );
  const { overall } = answer;
  if (!overall) throw new Error('monitoring answered without a result');
  if (options.json) process.stdout.write(`${JSON.stringify(reportOf(endpoint, answer), null, 2)}\n`);
  else print(endpoint, answer, overall);
  const { atLeast } = options;
  if (atLeast === undefined) return 0;
  const low = overall.improvement?.low ?? -Infinity;
  const passed = low >= atLeast;
  if (!options.json) {
    process.stdout.write(
      `${passed ? 'passed' : 'NOT passed'}: the improvement is at least ${figure(low)}; ${atLeast} was asked for\n`,
    );
  }
  return passed ? 0 : 2;
}

function print(endpoint: string, answer: ReplayVersionResponse, overall: ReplayedGroup): void {
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  say(
    `${overall.rows} labelled requests of ${endpoint}, ${formatTime(answer.firstEventTimeMicros)} to ` +
      `${formatTime(answer.lastEventTimeMicros)}: as served, and as ${answer.model} version ${answer.version} answers`,
  );
  if (answer.rowsInTraining > 0) say(`${answer.rowsInTraining} left out: of the time that the version was trained on`);
  say('');
  printRows(
    [overall, ...answer.groups].map((group) => rowOf(group, answer.loss)),
    false,
  );
  say('');
  say(
    `95 % intervals. improvement: ${answer.loss} as served − as replayed, positive is better; valid however often one looks.`,
  );
  if (answer.groups.length > 0) say('Among many groups some differ by chance alone.');
  if (answer.groupsLeftOut > 0) say(`${answer.groupsLeftOut} groups of few rows are not shown.`);
}

function rowOf(group: ReplayedGroup, loss: string): Record<string, string | number> {
  const measures = SHOWN.filter((name) => group.replayed[name] !== undefined);
  return {
    slice: group.slice === '' ? 'all' : `${group.slice} ${group.value}`,
    rows: group.rows,
    ...Object.fromEntries(
      measures.map((name) => [name, `${interval(group.served[name])} → ${interval(group.replayed[name])}`]),
    ),
    [`improvement (${loss})`]: interval(group.improvement),
    blocks: group.blocks,
  };
}

function interval(estimate: Estimate | undefined): string {
  if (!estimate || Number.isNaN(estimate.value)) return '–';
  const { value, low, high } = estimate;
  return Number.isFinite(low) && Number.isFinite(high)
    ? `${figure(value)} (${figure(low)}, ${figure(high)})`
    : `${figure(value)} (?)`;
}

/** JSON knows no infinity: an end that is not known is null. */
function reportOf(endpoint: string, { overall, groups, ...answer }: ReplayVersionResponse): object {
  const plain = (estimates: Record<string, Estimate>): object =>
    Object.fromEntries(Object.entries(estimates).map(([name, estimate]) => [name, finite(estimate)]));
  const group = (one: ReplayedGroup): object => ({
    ...one,
    served: plain(one.served),
    replayed: plain(one.replayed),
    improvement: one.improvement && finite(one.improvement),
  });
  return { endpoint, ...answer, overall: overall && group(overall), groups: groups.map(group) };
}

function finite({ value, low, high }: Estimate): object {
  const orNull = (number: number): number | null => (Number.isFinite(number) ? number : null);
  return { value: orNull(value), low: orNull(low), high: orNull(high) };
}

function microsOf(option: string, text: string): number {
  const milliseconds = Date.parse(text);
  if (!Number.isNaN(milliseconds) && /^\d{4}-\d\d-\d\d/.test(text)) return milliseconds * 1_000;
  throw new Error(`${option} "${text}": expected a time such as 2026-01-31T12:00:00Z`);
}

function durationOf(text: string): number {
  try {
    return parseDuration(text);
  } catch (error) {
    throw new Error(`--since "${text}": ${error instanceof Error ? error.message : String(error)}`);
  }
}
