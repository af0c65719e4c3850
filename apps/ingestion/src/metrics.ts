import { Counter, Gauge, Histogram } from 'prom-client';

/** Counted before the commit: a batch that has to be done again counts twice. Exact counts: GetStreamCounts. */
export const recordsTotal = new Counter({
  name: 'headrace_ingestion_records_total',
  help: 'Upstream records by what became of them: accepted, rejected, duplicate (approximate across crashes).',
  labelNames: ['stream', 'outcome'],
});

export const datasetVersion = new Gauge({
  name: 'headrace_ingestion_dataset_version',
  help: 'Newest dataset version of each stream that this instance committed.',
  labelNames: ['stream'],
});

export const datasetCommitSeconds = new Histogram({
  name: 'headrace_ingestion_dataset_commit_seconds',
  help: 'Time to read, write and commit one dataset version.',
  labelNames: ['stream'],
  buckets: [0.25, 0.5, 1, 2, 4, 8, 16, 32, 64],
});

export const watermarkSeconds = new Gauge({
  name: 'headrace_ingestion_watermark_seconds',
  help: 'Last announced watermark (known time, seconds since the epoch).',
  labelNames: ['stream'],
});
