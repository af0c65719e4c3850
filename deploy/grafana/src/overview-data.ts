// Panels about what arrives, the features made of it, the events between services, and their processes.
import {
  BytesIEC,
  DateTimeFromNow,
  EventsPerSecond,
  PercentUnit,
  RecordsPerSecond,
  RowsPerSecond,
  Seconds,
  Short,
} from '@grafana/grafana-foundation-sdk/units';
import { quantile } from './expressions';
import { stat, timeSeries } from './panels';

const SERVICES = 'ingestion|feature-store|training|registry|inference-gateway|monitoring';

export const now = () => [
  stat({
    title: 'Services',
    description: 'Whether Prometheus reaches each service. Runbook: service-down.',
    unit: Short,
    width: 12,
    queries: [{ expr: `min by (job) (up{job=~"${SERVICES}"})`, legend: '{{job}}' }],
    thresholds: [
      { from: null, color: 'red' },
      { from: 1, color: 'green' },
    ],
    words: { '0': 'down', '1': 'up' },
  }),
  stat({
    title: 'Signals',
    description:
      'What monitoring says now: a signal stands from the window that raised it until windows are good again.',
    unit: Short,
    width: 6,
    queries: [
      {
        expr: 'max by (monitor, signal) (headrace_monitoring_signal_stands{monitor=~"$monitor"})',
        legend: '{{signal}}, {{monitor}}',
      },
    ],
    thresholds: [
      { from: null, color: 'green' },
      { from: 1, color: 'orange' },
    ],
    words: { '0': 'quiet', '1': 'stands' },
  }),
  stat({
    title: 'Dead letters',
    description: 'Events that handlers could not accept, since the services started. Runbook: dead-letters.',
    unit: Short,
    width: 3,
    queries: [{ expr: 'sum(headrace_messaging_dead_letters_total) or vector(0)', legend: 'dead letters' }],
    thresholds: [
      { from: null, color: 'green' },
      { from: 1, color: 'orange' },
    ],
    show: 'value',
  }),
  stat({
    title: 'Events that wait',
    description: 'Distance of the consumers from the ends of their logs, all together.',
    unit: Short,
    width: 3,
    queries: [{ expr: 'sum(headrace_messaging_consumer_lag_events)', legend: 'events' }],
    thresholds: [
      { from: null, color: 'green' },
      { from: 10_000, color: 'orange' },
      { from: 100_000, color: 'red' },
    ],
    show: 'value',
  }),
];

export const dataIn = () => [
  timeSeries({
    title: 'Records by outcome',
    description: 'Upstream records a second: accepted, rejected into the quarantine, recognised as repeats.',
    unit: RecordsPerSecond,
    width: 8,
    min: 0,
    queries: [
      {
        expr: 'sum by (stream, outcome) (rate(headrace_ingestion_records_total{stream=~"$stream"}[$__rate_interval]))',
        legend: '{{stream}} {{outcome}}',
      },
    ],
  }),
  timeSeries({
    title: 'Rejected',
    description: 'Share of records that the contract of their stream refused. Runbook: records-rejected.',
    unit: PercentUnit,
    width: 8,
    min: 0,
    limits: { warning: 0.05 },
    queries: [
      {
        expr:
          '(sum by (stream) (rate(headrace_ingestion_records_total{stream=~"$stream",outcome="rejected"}[$__rate_interval]))' +
          ' or 0 * sum by (stream) (rate(headrace_ingestion_records_total{stream=~"$stream"}[$__rate_interval])))' +
          ' / (sum by (stream) (rate(headrace_ingestion_records_total{stream=~"$stream"}[$__rate_interval])) > 0)',
        legend: '{{stream}}',
      },
    ],
  }),
  timeSeries({
    title: 'Dataset versions',
    description: 'Newest committed version of each stream.',
    unit: Short,
    decimals: 0,
    width: 4,
    min: 0,
    steps: true,
    queries: [
      { expr: 'max by (stream) (headrace_ingestion_dataset_version{stream=~"$stream"})', legend: '{{stream}}' },
    ],
  }),
  stat({
    title: 'Known up to',
    description:
      'Watermark of each stream: everything that was known by then has been read. In a replay this is the past that is replayed.',
    unit: DateTimeFromNow,
    width: 4,
    queries: [
      {
        expr: '1000 * max by (stream) (headrace_ingestion_watermark_seconds{stream=~"$stream"})',
        legend: '{{stream}}',
      },
    ],
  }).height(8),
];

export const features = () => [
  timeSeries({
    title: 'Features read online',
    description: 'Rows a second that online reads answered, by how exact they are.',
    unit: RowsPerSecond,
    width: 6,
    min: 0,
    queries: [
      {
        expr: 'sum by (status) (rate(headrace_feature_store_online_rows_total[$__rate_interval]))',
        legend: '{{status}}',
      },
    ],
  }),
  timeSeries({
    title: 'Online reads, p99',
    description: 'From call to answer, the wait for watermarks included.',
    unit: Seconds,
    width: 6,
    min: 0,
    limits: { warning: 0.25 },
    queries: [
      {
        expr: quantile(0.99, 'headrace_feature_store_online_read_seconds'),
        legend: 'p99',
      },
      {
        expr: quantile(0.5, 'headrace_feature_store_online_read_seconds'),
        legend: 'p50',
      },
    ],
  }),
  timeSeries({
    title: 'Features behind ingestion',
    description: 'How far, in time of the data, the features are behind what ingestion has announced.',
    unit: Seconds,
    width: 6,
    min: 0,
    queries: [
      {
        expr:
          'max by (stream) (headrace_ingestion_watermark_seconds{stream=~"$stream"})' +
          ' - min by (stream) (headrace_feature_store_watermark_seconds{stream=~"$stream"})',
        legend: '{{stream}}',
      },
    ],
  }),
  timeSeries({
    title: 'Joins of training sets',
    description: 'Mean duration of the point-in-time joins.',
    unit: Seconds,
    width: 6,
    min: 0,
    queries: [
      {
        expr:
          'sum by (plan, outcome) (headrace_feature_store_materialization_seconds_sum)' +
          ' / (sum by (plan, outcome) (headrace_feature_store_materialization_seconds_count) > 0)',
        legend: '{{plan}} {{outcome}}',
      },
    ],
  }),
];

export const messaging = () => [
  timeSeries({
    title: 'Consumer lag',
    description: 'Events between the position of a group and the end of its log. Runbook: consumer-lag.',
    unit: Short,
    width: 8,
    min: 0,
    queries: [
      {
        expr: 'sum by (job, group, topic) (headrace_messaging_consumer_lag_events)',
        legend: '{{group}} at {{topic}}',
      },
    ],
  }),
  timeSeries({
    title: 'Outbox',
    description: 'Age of the oldest event that is committed and not yet published. Runbook: outbox-age.',
    unit: Seconds,
    width: 8,
    min: 0,
    limits: { critical: 60 },
    queries: [{ expr: 'max by (job) (headrace_messaging_outbox_oldest_seconds)', legend: '{{job}}' }],
  }),
  timeSeries({
    title: 'Outbox rows',
    description: 'Events that are committed and not yet published.',
    unit: Short,
    width: 8,
    min: 0,
    queries: [{ expr: 'max by (job) (headrace_messaging_outbox_rows)', legend: '{{job}}' }],
  }),
  timeSeries({
    title: 'Events handled',
    description: 'Events whose effect is committed, a second.',
    unit: EventsPerSecond,
    width: 8,
    min: 0,
    queries: [
      {
        expr: 'sum by (job, outcome) (rate(headrace_messaging_events_handled_total[$__rate_interval]))',
        legend: '{{job}} {{outcome}}',
      },
    ],
  }),
  timeSeries({
    title: 'From event to effect, p95',
    description:
      'From the time that an event carries to the commit of its effect. A point is one event whose trace was kept, and leads there.',
    exemplars: true,
    unit: Seconds,
    width: 8,
    min: 0,
    queries: [
      {
        expr: quantile(0.95, 'headrace_messaging_event_age_seconds', 'job'),
        legend: '{{job}}',
      },
    ],
  }),
  timeSeries({
    title: 'What does not go smoothly',
    description:
      'Dead letters since start, events that wait for their cause or behind another, partitions that wait, tries repeated. Runbooks: dead-letters, partition-paused.',
    unit: Short,
    decimals: 0,
    width: 8,
    min: 0,
    queries: [
      { expr: 'sum(headrace_messaging_dead_letters_total) or vector(0)', legend: 'dead letters' },
      { expr: 'sum(headrace_messaging_parked_events) or vector(0)', legend: 'parked events' },
      { expr: 'sum(headrace_messaging_paused_partitions) or vector(0)', legend: 'paused partitions' },
      {
        expr: 'sum(increase(headrace_messaging_retries_total[$__rate_interval])) or vector(0)',
        legend: 'tries repeated',
      },
    ],
  }),
];

export const processes = () => [
  timeSeries({
    title: 'Memory',
    description: 'Resident memory of each service.',
    unit: BytesIEC,
    width: 8,
    min: 0,
    queries: [{ expr: 'sum by (job) (process_resident_memory_bytes)', legend: '{{job}}' }],
  }),
  timeSeries({
    title: 'Event loop lag, p99',
    description: 'How late timers fire: work that blocks the process delays everything else in it.',
    unit: Seconds,
    width: 8,
    min: 0,
    limits: { warning: 0.25, critical: 1 },
    queries: [{ expr: 'max by (job) (nodejs_eventloop_lag_p99_seconds)', legend: '{{job}}' }],
  }),
  timeSeries({
    title: 'CPU',
    description: 'Cores used by each service; trainers and joins in child processes are not in it.',
    unit: Short,
    width: 8,
    min: 0,
    queries: [{ expr: 'sum by (job) (rate(process_cpu_seconds_total[$__rate_interval]))', legend: '{{job}}' }],
  }),
];
