// "Headrace: data and features": what arrives, whether it keeps its contract, and how fresh the features made of it are.
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { RecordsPerSecond, RowsPerSecond, Seconds, Short } from '@grafana/grafana-foundation-sdk/units';
import { dashboard } from './dashboard';
import { mean, perSecond } from './expressions';
import { dataIn, features } from './overview-data';
import { timeSeries } from './panels';

const STREAM = 'stream=~"$stream"';

const contracts = () => [
  timeSeries({
    title: 'Records in all',
    description: 'Since ingestion started; published = accepted + rejected + repeats.',
    unit: Short,
    decimals: 0,
    width: 12,
    min: 0,
    queries: [
      {
        expr: `sum by (stream, outcome) (headrace_ingestion_records_total{${STREAM}})`,
        legend: '{{stream}} {{outcome}}',
      },
    ],
  }),
  timeSeries({
    title: 'Time of a commit',
    description: 'Mean time that it takes to write a dataset version.',
    unit: Seconds,
    width: 12,
    min: 0,
    queries: [{ expr: mean('headrace_ingestion_dataset_commit_seconds', 'stream', STREAM), legend: '{{stream}}' }],
  }),
];

const freshness = () => [
  timeSeries({
    title: 'Records taken into features',
    description: 'A second, by stream.',
    unit: RecordsPerSecond,
    width: 12,
    min: 0,
    queries: [{ expr: perSecond('headrace_feature_store_records_total', 'stream', STREAM), legend: '{{stream}}' }],
  }),
  timeSeries({
    title: 'Records in memory',
    description: 'Records that each view keeps at hand for online reads.',
    unit: Short,
    width: 12,
    min: 0,
    queries: [{ expr: 'sum by (view) (headrace_feature_store_cached_records)', legend: '{{view}}' }],
  }),
];

const scoring = () => [
  timeSeries({
    title: 'Scoring jobs',
    description:
      'Dataset versions that were scored by a model version (`headrace score`), since the feature store started.',
    unit: Short,
    decimals: 0,
    width: 12,
    min: 0,
    steps: true,
    queries: [
      {
        expr: 'sum by (model, outcome) (headrace_feature_store_scoring_jobs_total) or vector(0)',
        legend: '{{model}} {{outcome}}',
      },
    ],
  }),
  timeSeries({
    title: 'Rows scored',
    description: 'Rows of dataset versions, a second.',
    unit: RowsPerSecond,
    width: 12,
    min: 0,
    queries: [
      {
        expr: `${perSecond('headrace_feature_store_scored_rows_total', 'model')} or vector(0)`,
        legend: '{{model}}',
      },
    ],
  }),
];

export function dataAndFeatures(): Dashboard {
  return dashboard({
    uid: 'headrace-data',
    title: 'Headrace: data and features',
    description: 'What arrives, whether it keeps its contract, and how fresh the features made of it are.',
    variables: ['stream'],
    rows: [
      ['Data in', dataIn],
      ['Contracts and dataset versions', contracts],
      ['Features', features],
      ['Feature views', freshness],
      ['Scoring of datasets', scoring],
    ],
  });
}
