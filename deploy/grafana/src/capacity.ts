// "Headrace: capacity": what each process uses, and which of them is at its limit.
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { BytesIEC, PercentUnit, Seconds, Short } from '@grafana/grafana-foundation-sdk/units';
import { dashboard } from './dashboard';
import { processes } from './overview-data';
import { timeSeries } from './panels';

const JOB = 'job=~"$job"';

const node = () => [
  timeSeries({
    title: 'Heap',
    description: 'Objects in memory after and between collections.',
    unit: BytesIEC,
    width: 8,
    min: 0,
    queries: [{ expr: `sum by (job) (nodejs_heap_size_used_bytes{${JOB}})`, legend: '{{job}}' }],
  }),
  timeSeries({
    title: 'Collecting garbage',
    description: 'Share of time that a process stands still for its garbage collector.',
    unit: PercentUnit,
    width: 8,
    min: 0,
    limits: { warning: 0.1 },
    queries: [
      { expr: `sum by (job) (rate(nodejs_gc_duration_seconds_sum{${JOB}}[$__rate_interval]))`, legend: '{{job}}' },
    ],
  }),
  timeSeries({
    title: 'Open files',
    description: 'Sockets and files, against what the system allows.',
    unit: Short,
    decimals: 0,
    width: 8,
    min: 0,
    queries: [{ expr: `max by (job) (process_open_fds{${JOB}})`, legend: '{{job}}' }],
  }),
  timeSeries({
    title: 'Since the last start',
    description: 'Falls to zero when a process starts anew.',
    unit: Seconds,
    width: 12,
    min: 0,
    queries: [{ expr: `time() - max by (job) (process_start_time_seconds{${JOB}})`, legend: '{{job}}' }],
  }),
  timeSeries({
    title: 'Outside the heap',
    description: 'Buffers, model bytes and native memory.',
    unit: BytesIEC,
    width: 12,
    min: 0,
    queries: [{ expr: `sum by (job) (nodejs_external_memory_bytes{${JOB}})`, legend: '{{job}}' }],
  }),
];

const models = () => [
  timeSeries({
    title: 'Models in memory',
    description: 'Promoted models that the gateway holds; the others are loaded when they are asked.',
    unit: Short,
    decimals: 0,
    width: 8,
    min: 0,
    steps: true,
    queries: [{ expr: 'sum(headrace_gateway_models_resident)', legend: 'models' }],
  }),
  timeSeries({
    title: 'Memory of models',
    description: 'Memory that the models in the gateway take, as measured when they were validated.',
    unit: BytesIEC,
    width: 8,
    min: 0,
    steps: true,
    queries: [{ expr: 'sum(headrace_gateway_models_resident_bytes)', legend: 'models' }],
  }),
  timeSeries({
    title: 'Model processes that died',
    description:
      'Since the gateway started; own: of one version that is not promoted, shared: of promoted ones, which come back.',
    unit: Short,
    decimals: 0,
    width: 8,
    min: 0,
    steps: true,
    limits: { warning: 1 },
    queries: [
      {
        expr: 'sum by (place, code) (headrace_gateway_model_process_deaths_total) or vector(0)',
        legend: '{{place}} {{code}}',
      },
    ],
  }),
];

export function capacity(): Dashboard {
  return dashboard({
    uid: 'headrace-capacity',
    title: 'Headrace: capacity',
    description: 'CPU, memory and event loops of the services.',
    variables: ['job'],
    rows: [
      ['Processes', processes],
      ['Inside', node],
      ['Models', models],
    ],
  });
}
