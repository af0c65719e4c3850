// Panels about models: how they are made and replaced, and how they answer.
import { PercentUnit, RequestsPerSecond, Seconds, Short } from '@grafana/grafana-foundation-sdk/units';
import { quantile } from './expressions';
import { timeSeries } from './panels';

const ENDPOINT = 'endpoint=~"$endpoint"';
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
    description:
      'From the decoded request to the answer: median and 99th percentile. A point is one prediction by entity whose trace was kept: it leads there, and `headrace why` tells what its answer rests on. Runbook: gateway-latency.',
    exemplars: true,
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
