// "Headrace: endpoint": one endpoint and its versions, the canary beside the champion.
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { RequestsPerSecond, Seconds, Short } from '@grafana/grafana-foundation-sdk/units';
import { dashboard } from './dashboard';
import { perSecond, quantile } from './expressions';
import { rollouts, serving } from './overview-models';
import { heatLines, timeSeries } from './panels';

const ENDPOINT = 'endpoint=~"$endpoint"';

const versions = () => [
  timeSeries({
    title: 'Requests by protocol',
    description: 'Predict by entity, the Open Inference Protocol over gRPC and over REST.',
    unit: RequestsPerSecond,
    width: 8,
    min: 0,
    queries: [
      {
        expr: perSecond('headrace_gateway_requests_total', 'endpoint, protocol', ENDPOINT),
        legend: '{{endpoint}} {{protocol}}',
      },
    ],
  }),
  timeSeries({
    title: 'Answers by status code',
    description: 'OK, faults of the caller (INVALID_ARGUMENT, NOT_FOUND …) and of the gateway.',
    unit: RequestsPerSecond,
    width: 8,
    min: 0,
    queries: [
      {
        expr: perSecond('headrace_gateway_requests_total', 'endpoint, code', ENDPOINT),
        legend: '{{endpoint}} {{code}}',
      },
    ],
  }),
  timeSeries({
    title: 'Duration by version',
    description:
      'From the decoded request to the answer, 50th, 90th and 99th percentile: the canary beside the champion.',
    exemplars: true,
    unit: Seconds,
    width: 8,
    min: 0,
    queries: [0.5, 0.9, 0.99].map((q) => ({
      expr: quantile(q, 'headrace_gateway_request_duration_seconds', 'version', ENDPOINT),
      legend: `v{{version}} p${q * 100}`,
    })),
  }),
  timeSeries({
    title: 'Failures of versions',
    description: 'Runs of a model that failed, since the gateway started; a candidate that fails is rolled back.',
    unit: Short,
    decimals: 0,
    width: 8,
    min: 0,
    steps: true,
    queries: [
      {
        expr: `sum by (endpoint, version) (headrace_gateway_version_failures_total{${ENDPOINT}}) or vector(0)`,
        legend: '{{endpoint}} v{{version}}',
      },
      {
        expr: `sum by (endpoint, code) (headrace_gateway_model_load_failures_total{${ENDPOINT}}) or vector(0)`,
        legend: '{{endpoint}} not loaded, {{code}}',
      },
    ],
  }),
  timeSeries({
    title: 'Guardrails',
    description: 'Requests that a guardrail acted on, since the gateway started.',
    unit: Short,
    decimals: 0,
    width: 8,
    min: 0,
    steps: true,
    queries: [
      {
        expr: `sum by (endpoint, guardrail, action) (headrace_gateway_guardrails_total{${ENDPOINT}}) or vector(0)`,
        legend: '{{endpoint}} {{guardrail}}: {{action}}',
      },
    ],
  }),
  timeSeries({
    title: 'Deployments',
    description: 'Generation of what the registry wants to be served: it grows with each change.',
    unit: Short,
    decimals: 0,
    width: 8,
    min: 0,
    steps: true,
    queries: [
      { expr: `max by (endpoint) (headrace_registry_deployment_generation{${ENDPOINT}})`, legend: '{{endpoint}}' },
    ],
  }),
];

const pressure = () => [
  timeSeries({
    title: 'Turned away',
    description: 'Requests that were refused or left the queue before they were run, by reason, a second.',
    unit: RequestsPerSecond,
    width: 6,
    min: 0,
    queries: [
      {
        expr: `${perSecond('headrace_gateway_turned_away_total', 'model, version, reason')} or vector(0)`,
        legend: '{{model}} v{{version}} {{reason}}',
      },
    ],
  }),
  timeSeries({
    title: 'Room in the queue',
    description:
      'Rows that wait for a version, and how many may: the limit falls while the queue does not empty, so that those who wait are answered in time.',
    unit: Short,
    decimals: 0,
    width: 6,
    min: 0,
    queries: [
      {
        expr: `sum by (endpoint, version) (headrace_gateway_queue_rows{${ENDPOINT}})`,
        legend: '{{endpoint}} v{{version}} waiting',
      },
      {
        expr: `max by (endpoint, version) (headrace_gateway_queue_limit_rows{${ENDPOINT}})`,
        legend: '{{endpoint}} v{{version}} limit',
        dashed: true,
      },
    ],
  }),
  heatLines({
    title: 'Where versions run',
    description:
      'here: in the gateway; shared: in a process of promoted versions; own: in a process of its own, as a candidate does.',
    unit: Short,
    decimals: 0,
    width: 6,
    limits: {},
    queries: [
      {
        expr: `max by (endpoint, version, place) (headrace_gateway_version_place{${ENDPOINT}})`,
        legend: '{{endpoint}} v{{version}} {{place}}',
      },
    ],
  }),
  timeSeries({
    title: 'Feature store given up',
    description:
      '1 while the gateway does not wait for the feature store: fallbacks answer. Runbook: gateway-fallbacks.',
    unit: Short,
    decimals: 0,
    width: 6,
    min: 0,
    max: 1,
    steps: true,
    limits: { critical: 1 },
    queries: [{ expr: 'max(headrace_gateway_feature_store_circuit_open)', legend: 'given up' }],
  }),
];

export function endpoint(): Dashboard {
  return dashboard({
    uid: 'headrace-endpoint',
    title: 'Headrace: endpoint and versions',
    description: 'Rate, errors and duration of an endpoint and each of its versions, and how rollouts stand.',
    variables: ['endpoint'],
    rows: [
      ['Answers', serving],
      ['Versions', versions],
      ['Under pressure', pressure],
      ['Rollouts', rollouts],
    ],
  });
}
