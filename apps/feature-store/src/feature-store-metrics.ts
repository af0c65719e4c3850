import { Counter, Gauge, Histogram } from 'prom-client';

export const recordsTotal = new Counter({
  name: 'headrace_feature_store_records_total',
  help: 'Accepted records taken in, repeated deliveries after a crash included',
  labelNames: ['stream'],
});

export const onlineRowsTotal = new Counter({
  name: 'headrace_feature_store_online_rows_total',
  help: 'Rows answered by online reads, by how exact they are',
  labelNames: ['status'],
});

export const onlineSeconds = new Histogram({
  name: 'headrace_feature_store_online_read_seconds',
  help: 'Online reads from call to answer, the wait for watermarks included',
  buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
});

export const watermarkSeconds = new Gauge({
  name: 'headrace_feature_store_watermark_seconds',
  help: 'Watermark of each stream: seconds since the epoch up to which it is complete here',
  labelNames: ['stream'],
});

export const cachedRecords = new Gauge({
  name: 'headrace_feature_store_cached_records',
  help: 'Records kept in memory for online reads',
  labelNames: ['view'],
});

export const materializationSeconds = new Histogram({
  name: 'headrace_feature_store_materialization_seconds',
  help: 'Joining one training set',
  labelNames: ['plan', 'outcome'],
  buckets: [0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300],
});

export const scoringJobsTotal = new Counter({
  name: 'headrace_feature_store_scoring_jobs_total',
  help: 'Jobs that scored a dataset version, by their end: done, failed',
  labelNames: ['model', 'outcome'],
});

export const scoredRowsTotal = new Counter({
  name: 'headrace_feature_store_scored_rows_total',
  help: 'Rows of dataset versions that were scored',
  labelNames: ['model'],
});
