// "Headrace: security": calls that were refused, and decisions that people took against a rule.
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { Short } from '@grafana/grafana-foundation-sdk/units';
import { dashboard } from './dashboard';
import { stat, timeSeries } from './panels';

const refusals = () => [
  timeSeries({
    title: 'Calls refused',
    description: 'gRPC calls without a valid token or without the role, since each service started.',
    unit: Short,
    decimals: 0,
    width: 16,
    min: 0,
    steps: true,
    queries: [
      {
        expr: 'sum by (job, method, code) (headrace_grpc_refused_total) or vector(0)',
        legend: '{{job}} {{method}} {{code}}',
      },
    ],
  }),
  stat({
    title: 'Gates waived',
    description:
      'Versions that a person let pass against their gates, since the registry started: `headrace audit` says who and why.',
    unit: Short,
    decimals: 0,
    width: 8,
    queries: [{ expr: 'sum(headrace_registry_versions_total{outcome="waived"}) or vector(0)', legend: 'waived' }],
    show: 'value',
  }).height(8),
];

const input = () => [
  timeSeries({
    title: 'Records refused',
    description: 'By stream, since ingestion started: they stay in the quarantine with their reason.',
    unit: Short,
    decimals: 0,
    width: 12,
    min: 0,
    steps: true,
    queries: [
      {
        expr: 'sum by (stream) (headrace_ingestion_records_total{outcome="rejected"}) or vector(0)',
        legend: '{{stream}}',
      },
    ],
  }),
  timeSeries({
    title: 'Requests that the gateway refused',
    description: 'Faults of callers by status code, since the gateway started.',
    unit: Short,
    decimals: 0,
    width: 12,
    min: 0,
    steps: true,
    queries: [
      {
        expr:
          'sum by (endpoint, code) (headrace_gateway_requests_total{code=~"INVALID_ARGUMENT|NOT_FOUND|UNAUTHENTICATED|PERMISSION_DENIED"})' +
          ' or vector(0)',
        legend: '{{endpoint}} {{code}}',
      },
    ],
  }),
];

export function security(): Dashboard {
  return dashboard({
    uid: 'headrace-security',
    title: 'Headrace: security',
    description: 'Who was refused, what was refused, and which rules people set aside.',
    variables: [],
    rows: [
      ['Access', refusals],
      ['Input', input],
    ],
  });
}
