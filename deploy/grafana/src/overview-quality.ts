// Panels about models: whether they are still good, and what was decided about them.
import { PercentUnit, Seconds, Short } from '@grafana/grafana-foundation-sdk/units';
import { quantile } from './expressions';
import { stat, timeSeries } from './panels';

const ENDPOINT = 'endpoint=~"$endpoint"';
const MONITOR = 'monitor=~"$monitor"';

export const quality = () => [
  timeSeries({
    title: 'Drift',
    description:
      'Distance of the last closed window from what the serving version was trained on, with the threshold of each test. Runbook: drift.',
    unit: Short,
    width: 8,
    min: 0,
    steps: true,
    queries: [
      {
        expr: `max by (monitor, subject, statistic) (headrace_monitoring_drift_statistic{${MONITOR}})`,
        legend: '{{subject}} {{statistic}}, {{monitor}}',
      },
      {
        expr: `max by (monitor, subject, statistic) (headrace_monitoring_drift_threshold{${MONITOR}})`,
        legend: '{{subject}} {{statistic}} threshold, {{monitor}}',
        dashed: true,
      },
    ],
  }),
  timeSeries({
    title: 'Performance',
    description:
      'Performance of the champion in the last closed window, with that of its reference profile. Runbook: performance.',
    unit: Short,
    width: 8,
    steps: true,
    queries: [
      {
        expr: `max by (monitor, version, metric) (headrace_monitoring_performance_value{${MONITOR},metric!="contradiction_z"})`,
        legend: '{{metric}} v{{version}}, {{monitor}}',
      },
      {
        expr: `max by (monitor, version, metric) (headrace_monitoring_performance_reference{${MONITOR}})`,
        legend: '{{metric}} v{{version}} reference, {{monitor}}',
        dashed: true,
      },
    ],
  }),
  timeSeries({
    title: 'Windows judged',
    description: 'Closed windows, by whether they had enough predictions or labels to be judged.',
    unit: Short,
    decimals: 0,
    width: 8,
    min: 0,
    steps: true,
    queries: [
      {
        expr: `sum by (monitor, kind, outcome) (headrace_monitoring_windows_total{${MONITOR}})`,
        legend: '{{kind}} {{outcome}}, {{monitor}}',
      },
    ],
  }),
  timeSeries({
    title: 'Label delay',
    description: 'Event time from a prediction until its label was known: median and 90th percentile.',
    unit: Seconds,
    width: 8,
    min: 0,
    queries: [
      {
        expr: quantile(0.5, 'headrace_monitoring_label_delay_seconds', 'endpoint', ENDPOINT),
        legend: '{{endpoint}} p50',
      },
      {
        expr: quantile(0.9, 'headrace_monitoring_label_delay_seconds', 'endpoint', ENDPOINT),
        legend: '{{endpoint}} p90',
      },
    ],
  }),
  timeSeries({
    title: 'Label coverage',
    description: 'Share of all answered predictions whose label is known.',
    unit: PercentUnit,
    width: 8,
    min: 0,
    max: 1,
    queries: [
      { expr: `max by (endpoint) (headrace_monitoring_label_coverage_ratio{${ENDPOINT}})`, legend: '{{endpoint}}' },
    ],
  }),
  timeSeries({
    title: 'Estimated performance',
    description:
      'Before labels come: what the scores of the last closed window let expect, with its band. Runbook: estimated-performance.',
    unit: Short,
    width: 8,
    steps: true,
    queries: [
      {
        expr: `max by (monitor, version, metric) (headrace_monitoring_estimated_performance{${MONITOR},bound="value"})`,
        legend: '{{metric}} v{{version}}, {{monitor}}',
      },
      {
        expr: `max by (monitor, version, metric, bound) (headrace_monitoring_estimated_performance{${MONITOR},bound!="value"})`,
        legend: '{{metric}} v{{version}} {{bound}}, {{monitor}}',
        dashed: true,
      },
    ],
  }),
  timeSeries({
    title: 'Labels against scores',
    description:
      'By how many standard errors the labels of the last closed window contradict what the scores promised. From 3 on scores no longer mean what they meant: concept drift. Runbook: concept-drift.',
    unit: Short,
    width: 8,
    steps: true,
    queries: [
      {
        expr: `max by (monitor, version) (headrace_monitoring_performance_value{${MONITOR},metric="contradiction_z"})`,
        legend: 'v{{version}}, {{monitor}}',
      },
    ],
  }),
  timeSeries({
    title: 'Run between false alarms',
    description:
      'Event time between false alarms of drift that the declared tests, thresholds and rule let expect, at least. Runbook: drift.',
    unit: Seconds,
    width: 8,
    min: 0,
    steps: true,
    queries: [
      {
        expr: `max by (monitor, signal) (headrace_monitoring_false_alarm_run_seconds{${MONITOR}})`,
        legend: '{{signal}}, {{monitor}}',
      },
    ],
  }),
  stat({
    title: 'Decisions',
    description: 'Retrainings asked for, and verdicts about rollouts, since monitoring started.',
    unit: Short,
    decimals: 0,
    width: 8,
    queries: [
      {
        expr: `sum(headrace_monitoring_retraining_requests_total{${MONITOR}}) or vector(0)`,
        legend: 'retrainings asked for',
      },
      {
        expr: `sum(headrace_monitoring_rollout_verdicts_total{${ENDPOINT},verdict="promote"}) or vector(0)`,
        legend: 'promote',
      },
      {
        expr: `sum(headrace_monitoring_rollout_verdicts_total{${ENDPOINT},verdict="roll_back"}) or vector(0)`,
        legend: 'roll back',
      },
      {
        expr: `sum(headrace_monitoring_rollout_verdicts_total{${ENDPOINT},verdict="inconclusive"}) or vector(0)`,
        legend: 'no requests',
      },
    ],
  }).height(8),
];
