// "Headrace: model health": whether the model that serves is still good, and what was decided about it.
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { DateTimeFromNow, PercentUnit, RecordsPerSecond, Seconds, Short } from '@grafana/grafana-foundation-sdk/units';
import { dashboard } from './dashboard';
import { perSecond } from './expressions';
import { quality } from './overview-models';
import { heatLines, stat, timeSeries } from './panels';

const MONITOR = 'monitor=~"$monitor"';
const ENDPOINT = 'endpoint=~"$endpoint"';

const heat = () => [
  heatLines({
    title: 'Drift, in parts of its threshold',
    description: 'For each subject and statistic: 1 is the threshold of its test. Runbook: drift.',
    unit: PercentUnit,
    width: 16,
    limits: { warning: 0.5, critical: 1 },
    queries: [
      {
        expr:
          `max by (monitor, subject, statistic) (headrace_monitoring_drift_statistic{${MONITOR}})` +
          ` / (max by (monitor, subject, statistic) (headrace_monitoring_drift_threshold{${MONITOR}}) > 0)`,
        legend: '{{subject}} {{statistic}}, {{monitor}}',
      },
    ],
  }),
  timeSeries({
    title: 'Signals that stand',
    description: '1 from the window that raised a signal until windows are good again.',
    unit: Short,
    decimals: 0,
    width: 8,
    min: 0,
    max: 1,
    steps: true,
    queries: [
      {
        expr: `max by (monitor, signal) (headrace_monitoring_signal_stands{${MONITOR}})`,
        legend: '{{signal}}, {{monitor}}',
      },
    ],
  }),
];

const flow = () => [
  timeSeries({
    title: 'Predictions and labels',
    description: 'Predictions read, labels known, and pairs of both joined, a second.',
    unit: RecordsPerSecond,
    width: 8,
    min: 0,
    queries: [
      {
        expr: perSecond('headrace_monitoring_predictions_total', 'endpoint', ENDPOINT),
        legend: '{{endpoint}} predictions',
      },
      { expr: perSecond('headrace_monitoring_joined_total', 'endpoint', ENDPOINT), legend: '{{endpoint}} joined' },
      {
        expr: perSecond('headrace_monitoring_labels_total', 'stream, outcome'),
        legend: 'labels of {{stream}}, {{outcome}}',
      },
    ],
  }),
  timeSeries({
    title: 'Late',
    description: 'Predictions and labels that came after their window had been judged, since monitoring started.',
    unit: Short,
    decimals: 0,
    width: 8,
    min: 0,
    queries: [
      {
        expr: `sum by (monitor, kind) (headrace_monitoring_late_total{${MONITOR}}) or vector(0)`,
        legend: '{{kind}}, {{monitor}}',
      },
    ],
  }),
  stat({
    title: 'Judged up to',
    description:
      'Event time of the last window that each monitor has judged. In a replay this is the past that is replayed.',
    unit: DateTimeFromNow,
    width: 8,
    queries: [
      {
        expr: `1000 * max by (monitor, kind) (headrace_monitoring_event_time_seconds{${MONITOR}})`,
        legend: '{{kind}}, {{monitor}}',
      },
    ],
  }).height(8),
  timeSeries({
    title: 'Windows that wait',
    description:
      'How long the oldest window waits for its judgement although all of it is known. Promised: not above 5 minutes for 99 % of the time. Runbook: slo-windows-in-time.',
    unit: Seconds,
    width: 24,
    min: 0,
    queries: [
      {
        expr: `max by (monitor) (headrace_monitoring_evaluation_overdue_seconds{${MONITOR}})`,
        legend: '{{monitor}}',
      },
    ],
  }),
];

const pace = () => [
  timeSeries({
    title: 'Pace of the loop',
    description:
      'Of the last loop that got so far: from drift to its detection (event time), from there to a trained version and to its promotion (time to recover), and from the request that fixed its data to promotion (lead time).',
    unit: Seconds,
    width: 8,
    min: 0,
    steps: true,
    queries: [{ expr: 'max by (model, step) (headrace_monitoring_loop_seconds)', legend: '{{step}}, {{model}}' }],
  }),
  timeSeries({
    title: 'Deployments a day',
    description: 'Versions that became champion of an endpoint, a day, over the last 30 days.',
    unit: Short,
    width: 8,
    min: 0,
    steps: true,
    queries: [{ expr: 'max by (model) (headrace_monitoring_deployments_per_day)', legend: '{{model}}' }],
  }),
  timeSeries({
    title: 'Changes that failed',
    description:
      'Share of the changes of the last 30 days that were rolled back or aborted. Runbook: rollout-rolled-back.',
    unit: PercentUnit,
    width: 8,
    min: 0,
    max: 1,
    steps: true,
    queries: [{ expr: 'max by (model) (headrace_monitoring_change_failure_ratio)', legend: '{{model}}' }],
  }),
];

export function modelHealth(): Dashboard {
  return dashboard({
    uid: 'headrace-model-health',
    title: 'Headrace: model health',
    description: 'Drift, performance and labels of the models that serve, and what was decided about them.',
    variables: ['monitor', 'endpoint'],
    rows: [
      ['Drift', heat],
      ['Performance and decisions', quality],
      ['The loop', pace],
      ['Predictions and labels', flow],
    ],
  });
}
