// "Headrace: model health": whether the model that serves is still good, and what was decided about it.
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { DateTimeFromNow, PercentUnit, RecordsPerSecond, Seconds, Short } from '@grafana/grafana-foundation-sdk/units';
import { dashboard } from './dashboard';
import { perSecond } from './expressions';
import { byPeople, groups, LOSSES } from './model-groups';
import { quality } from './overview-quality';
import { heatLines, stat, timeSeries } from './panels';
import { heldRetraining } from './retraining-panels';

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

const labels = () => [
  timeSeries({
    title: 'Loss with its interval',
    description:
      'Brier score of a binary model, mean absolute error of a regression: the champion in the last closed window of labels, with the 95 % interval and the value of its reference profile. Runbook: performance.',
    unit: Short,
    width: 8,
    min: 0,
    steps: true,
    queries: [
      {
        expr: `max by (monitor, version, metric) (headrace_monitoring_performance_value{${MONITOR},${LOSSES}})`,
        legend: '{{metric}} v{{version}}, {{monitor}}',
      },
      {
        expr: `max by (monitor, version, metric, bound) (headrace_monitoring_performance_bound{${MONITOR},${LOSSES}})`,
        legend: '{{metric}} v{{version}} {{bound}}, {{monitor}}',
        dashed: true,
      },
      {
        expr: `max by (monitor, version, metric) (headrace_monitoring_performance_reference{${MONITOR},${LOSSES}})`,
        legend: '{{metric}} v{{version}} reference, {{monitor}}',
        dashed: true,
      },
    ],
  }),
  timeSeries({
    title: 'Drifts found in the errors',
    description:
      'By each declared detector that follows the errors label by label, in the last closed window. Runbook: concept-drift.',
    unit: Short,
    decimals: 0,
    width: 8,
    min: 0,
    steps: true,
    limits: { warning: 1 },
    queries: [
      {
        expr: `max by (monitor, version, detector) (headrace_monitoring_error_detections{${MONITOR}})`,
        legend: '{{detector}} v{{version}}, {{monitor}}',
      },
    ],
  }),
  timeSeries({
    title: 'Tests without a threshold',
    description:
      'Drift tests that are reported and decide nothing, because the reference has too few windows for the false alarms that they declare. Runbook: drift.',
    unit: Short,
    decimals: 0,
    width: 4,
    min: 0,
    steps: true,
    limits: { warning: 1 },
    queries: [
      {
        expr: `max by (monitor) (headrace_monitoring_uncalibrated_tests{${MONITOR}})`,
        legend: '{{monitor}}',
      },
    ],
  }),
  timeSeries({
    title: 'Rounds that failed',
    description: 'Decisions of a monitor that failed and are tried again, since monitoring started. Its log says why.',
    unit: Short,
    decimals: 0,
    width: 4,
    min: 0,
    steps: true,
    limits: { warning: 1 },
    queries: [
      {
        expr: `sum by (monitor) (headrace_monitoring_decision_failures_total{${MONITOR}}) or vector(0)`,
        legend: '{{monitor}}',
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
    width: 16,
    min: 0,
    queries: [
      {
        expr: `max by (monitor) (headrace_monitoring_evaluation_overdue_seconds{${MONITOR}})`,
        legend: '{{monitor}}',
      },
    ],
  }),
  timeSeries({
    title: 'Predictions between false alarms',
    description:
      'Of windows by count: predictions between false alarms that the declared tests and rule let expect, at least. 0: no such windows, or not known. Runbook: drift.',
    unit: Short,
    decimals: 0,
    width: 8,
    min: 0,
    steps: true,
    queries: [
      {
        expr: `max by (monitor, signal) (headrace_monitoring_false_alarm_run_predictions{${MONITOR}}) or vector(0)`,
        legend: '{{signal}} {{monitor}}',
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
      ['By labels', labels],
      ['Groups and business', groups],
      ['Retraining', () => heldRetraining(MONITOR)],
      ['The loop', pace],
      ['Predictions and labels', flow],
      ['Labels by people', byPeople],
    ],
  });
}
