// "Headrace: endpoint": one endpoint and its versions, the canary beside the champion.
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { RequestsPerSecond, Seconds, Short } from '@grafana/grafana-foundation-sdk/units';
import { dashboard } from './dashboard';
import { perSecond, quantile } from './expressions';
import { rollouts, serving } from './overview-models';
import { timeSeries } from './panels';

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

export function endpoint(): Dashboard {
  return dashboard({
    uid: 'headrace-endpoint',
    title: 'Headrace: endpoint and versions',
    description: 'Rate, errors and duration of an endpoint and each of its versions, and how rollouts stand.',
    variables: ['endpoint'],
    rows: [
      ['Answers', serving],
      ['Versions', versions],
      ['Rollouts', rollouts],
    ],
  });
}
