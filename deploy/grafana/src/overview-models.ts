// Panels about models: how they are made and replaced, how they answer, whether they are still good.
import { PercentUnit, RequestsPerSecond, Seconds, Short } from '@grafana/grafana-foundation-sdk/units';
import { quantile } from './expressions';
import { stat, timeSeries } from './panels';

const ENDPOINT = 'endpoint=~"$endpoint"';
const MONITOR = 'monitor=~"$monitor"';
/** gRPC codes that are the gateway's fault; the others are the caller's. */
const FAULTS =
  'code=~"UNKNOWN|DEADLINE_EXCEEDED|RESOURCE_EXHAUSTED|ABORTED|UNIMPLEMENTED|INTERNAL|UNAVAILABLE|DATA_LOSS"';

function requests(selector = ''): string {
  const labels = selector === '' ? ENDPOINT : `${ENDPOINT},${selector}`;
  return `sum by (endpoint, version) (rate(headrace_gateway_requests_total{${labels}}[$__rate_interval]))`;
}

export const rollouts = () => [
  timeSeries({
    title: 'Training runs',
    description: 'Runs that ended, since training started. Runbook: training-failed.',
    unit: Short,
    decimals: 0,
    width: 6,
    min: 0,
    steps: true,
    queries: [{ expr: 'sum by (plan, outcome) (headrace_training_runs_total)', legend: '{{plan}} {{outcome}}' }],
  }),
  timeSeries({
    title: 'Steps of training',
    description: 'Mean duration of each step of a run.',
    unit: Seconds,
    width: 6,
    min: 0,
    queries: [
      {
        expr: 'sum by (step) (headrace_training_step_seconds_sum) / (sum by (step) (headrace_training_step_seconds_count) > 0)',
        legend: '{{step}}',
      },
    ],
  }),
  timeSeries({
    title: 'Versions and their gates',
    description: 'Versions registered, by what their gates said: validated, refused, waived by a person.',
    unit: Short,
    decimals: 0,
    width: 6,
    min: 0,
    steps: true,
    queries: [{ expr: 'sum by (model, outcome) (headrace_registry_versions_total)', legend: '{{model}} {{outcome}}' }],
  }),
  timeSeries({
    title: 'Rollouts',
    description: 'How rollouts ended: promoted, rolled_back, aborted. Runbook: rollout-rolled-back.',
    unit: Short,
    decimals: 0,
    width: 6,
    min: 0,
    steps: true,
    queries: [
      {
        expr: `sum by (endpoint, outcome) (headrace_registry_rollouts_total{${ENDPOINT}})`,
        legend: '{{endpoint}} {{outcome}}',
      },
    ],
  }),
  timeSeries({
    title: 'Who answers',
    description: 'Share of requests that each loaded version answers.',
    unit: 'percent',
    width: 8,
    min: 0,
    max: 100,
    steps: true,
    queries: [
      {
        expr: `max by (endpoint, version, role) (headrace_gateway_version_weight_percent{${ENDPOINT}})`,
        legend: '{{endpoint}} v{{version}} {{role}}',
      },
    ],
  }),
  timeSeries({
    title: 'Canary against champion',
    description:
      'Loss of the champion minus loss of the candidate on the same requests, with its confidence sequence: above zero the candidate is better. A rollout is decided when low is above or high below zero.',
    unit: Short,
    width: 8,
    limits: { warning: 0 },
    queries: [
      {
        expr: `max by (endpoint, bound) (headrace_monitoring_canary_improvement{${ENDPOINT}})`,
        legend: '{{endpoint}} {{bound}}',
      },
    ],
  }),
  timeSeries({
    title: 'Labelled pairs',
    description: 'Requests of the last rollout that both versions scored and whose label is known.',
    unit: Short,
    width: 8,
    min: 0,
    queries: [{ expr: `max by (endpoint) (headrace_monitoring_canary_pairs{${ENDPOINT}})`, legend: '{{endpoint}}' }],
  }),
];

export const serving = () => [
  timeSeries({
    title: 'Rate',
    description: 'Requests a second by endpoint and the version that answered.',
    unit: RequestsPerSecond,
    width: 8,
    min: 0,
    queries: [{ expr: requests(), legend: '{{endpoint}} v{{version}}' }],
  }),
  timeSeries({
    title: 'Errors',
    description: "Share of requests that failed by the gateway's fault. Runbook: gateway-errors.",
    unit: PercentUnit,
    width: 8,
    min: 0,
    limits: { warning: 0.001, critical: 0.01 },
    queries: [
      {
        expr: `(${requests(FAULTS)} or 0 * ${requests()}) / (${requests()} > 0)`,
        legend: '{{endpoint}} v{{version}}',
      },
    ],
  }),
  timeSeries({
    title: 'Duration',
    description: 'From the decoded request to the answer: median and 99th percentile. Runbook: gateway-latency.',
    unit: Seconds,
    width: 8,
    min: 0,
    limits: { critical: 0.25 },
    queries: [
      {
        expr: quantile(0.5, 'headrace_gateway_request_duration_seconds', 'endpoint, version', ENDPOINT),
        legend: '{{endpoint}} v{{version}} p50',
      },
      {
        expr: quantile(0.99, 'headrace_gateway_request_duration_seconds', 'endpoint, version', ENDPOINT),
        legend: '{{endpoint}} v{{version}} p99',
      },
    ],
  }),
  timeSeries({
    title: 'Fallbacks',
    description: 'Share of predictions answered by the declared fallback. Runbook: gateway-fallbacks.',
    unit: PercentUnit,
    width: 6,
    min: 0,
    limits: { warning: 0.05 },
    queries: [
      {
        expr:
          `(sum by (endpoint) (rate(headrace_gateway_fallbacks_total{${ENDPOINT}}[$__rate_interval]))` +
          ` or 0 * sum by (endpoint) (rate(headrace_gateway_requests_total{${ENDPOINT},protocol="predict"}[$__rate_interval])))` +
          ` / (sum by (endpoint) (rate(headrace_gateway_requests_total{${ENDPOINT},protocol="predict"}[$__rate_interval])) > 0)`,
        legend: '{{endpoint}}',
      },
    ],
  }),
  timeSeries({
    title: 'Wait for features, p99',
    description: 'What predictions by entity wait for the feature store.',
    unit: Seconds,
    width: 6,
    min: 0,
    queries: [
      {
        expr: quantile(0.99, 'headrace_gateway_feature_wait_seconds', 'endpoint', ENDPOINT),
        legend: '{{endpoint}}',
      },
    ],
  }),
  timeSeries({
    title: 'Rows run together',
    description: 'Mean size of the micro-batches, and rows that wait for a version.',
    unit: Short,
    width: 6,
    min: 0,
    queries: [
      {
        expr:
          'sum by (model, version) (rate(headrace_gateway_batch_rows_sum[$__rate_interval]))' +
          ' / (sum by (model, version) (rate(headrace_gateway_batch_rows_count[$__rate_interval])) > 0)',
        legend: '{{model}} v{{version}} together',
      },
      {
        expr: `sum by (endpoint, version) (headrace_gateway_queue_rows{${ENDPOINT}})`,
        legend: '{{endpoint}} v{{version}} waiting',
      },
    ],
  }),
  timeSeries({
    title: 'Prediction log',
    description:
      'Answers that Kafka has not acknowledged yet, and answers that were dropped. Runbook: prediction-log-dropped.',
    unit: Short,
    width: 6,
    min: 0,
    queries: [
      { expr: 'sum(headrace_gateway_prediction_log_buffered)', legend: 'buffered' },
      { expr: 'sum(headrace_gateway_predictions_dropped_total)', legend: 'dropped since start' },
    ],
  }),
];

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
