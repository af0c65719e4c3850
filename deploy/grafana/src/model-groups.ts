// Panels about parts of the traffic, and about what answers are worth: declared slices, fairness, business metrics.
import { PercentUnit, Short } from '@grafana/grafana-foundation-sdk/units';
import { timeSeries } from './panels';

const MONITOR = 'monitor=~"$monitor"';
/** The losses that a window of each task has: smaller is better, so that one axis is enough. */
export const LOSSES = 'metric=~"brier|mae"';

export const groups = () => [
  timeSeries({
    title: 'Loss by group',
    description:
      'Of each group of a declared slice in the last closed window of labels: Brier score of a binary model, mean absolute error of a regression. Groups below their minimum sample are absent; they have no reference and are not tested.',
    unit: Short,
    width: 8,
    min: 0,
    steps: true,
    queries: [
      {
        expr: `max by (monitor, slice, group, metric) (headrace_monitoring_slice_performance{${MONITOR},kind="performance",${LOSSES}})`,
        legend: '{{slice}} {{group}}: {{metric}}, {{monitor}}',
      },
    ],
  }),
  timeSeries({
    title: 'Positive answers by group',
    description:
      'Share of requests whose score is at or above the decision threshold, in the last closed window: before labels come.',
    unit: PercentUnit,
    width: 8,
    min: 0,
    max: 1,
    steps: true,
    queries: [
      {
        expr: `max by (monitor, slice, group) (headrace_monitoring_slice_performance{${MONITOR},kind="drift",metric="positive_share"})`,
        legend: '{{slice}} {{group}}, {{monitor}}',
      },
    ],
  }),
  timeSeries({
    title: 'Requests by group',
    description: 'Of the last closed windows: all requests (drift), those with a label (performance).',
    unit: Short,
    decimals: 0,
    width: 8,
    min: 0,
    steps: true,
    queries: [
      {
        expr: `max by (monitor, kind, slice, group) (headrace_monitoring_slice_rows{${MONITOR}})`,
        legend: '{{slice}} {{group}} {{kind}}, {{monitor}}',
      },
    ],
  }),
  timeSeries({
    title: 'Fairness: difference between groups',
    description:
      'Largest difference between the groups of a slice in the last closed windows: of the shares of positive answers (demographic parity, before labels and with them), and of the recalls (equal opportunity, with labels). The line at 0.1 is where to look; nothing is decided by it.',
    unit: PercentUnit,
    width: 8,
    min: 0,
    max: 1,
    steps: true,
    limits: { warning: 0.1 },
    queries: [
      {
        expr: `max by (monitor, kind, slice, measure) (headrace_monitoring_fairness_difference{${MONITOR}})`,
        legend: '{{slice}} {{measure}} {{kind}}, {{monitor}}',
      },
    ],
  }),
  timeSeries({
    title: 'Business metrics',
    description:
      'What the labelled predictions of the last closed window were worth by the expressions of the Monitor, with the 95 % interval. A sum is of the predictions whose labels came: read it beside the label coverage. The unit is the one that the Monitor declares.',
    unit: Short,
    width: 8,
    steps: true,
    queries: [
      {
        expr: `max by (monitor, metric) (headrace_monitoring_business_metric{${MONITOR}})`,
        legend: '{{metric}}, {{monitor}}',
      },
      {
        expr: `max by (monitor, metric, bound) (headrace_monitoring_business_metric_bound{${MONITOR}})`,
        legend: '{{metric}} {{bound}}, {{monitor}}',
        dashed: true,
      },
    ],
  }),
  timeSeries({
    title: 'Predictions without a business metric',
    description:
      'Labelled predictions of the last closed window for which the expression gave no number: they are left out. `headrace monitor --metrics` says why.',
    unit: Short,
    decimals: 0,
    width: 8,
    min: 0,
    steps: true,
    limits: { warning: 1 },
    queries: [
      {
        expr: `max by (monitor, metric) (headrace_monitoring_business_metric_failed_predictions{${MONITOR}})`,
        legend: '{{metric}}, {{monitor}}',
      },
    ],
  }),
];

export const byPeople = () => [
  timeSeries({
    title: 'Predictions that wait for a label by people',
    description:
      'In the labelling queues, by why they were chosen: most uncertain, most drifted, random; taken: somebody has it. 0 where no Monitor declares `labelling`.',
    unit: Short,
    decimals: 0,
    width: 12,
    min: 0,
    steps: true,
    queries: [
      {
        expr: `max by (monitor, reason, state) (headrace_monitoring_label_queue_items{${MONITOR}}) or vector(0)`,
        legend: '{{reason}} {{state}}, {{monitor}}',
      },
    ],
  }),
  timeSeries({
    title: 'Labels by people',
    description: 'Answers that people gave, since monitoring started.',
    unit: Short,
    decimals: 0,
    width: 12,
    min: 0,
    steps: true,
    queries: [
      {
        expr: `sum by (monitor) (headrace_monitoring_label_answers_total{${MONITOR}}) or vector(0)`,
        legend: '{{monitor}}',
      },
    ],
  }),
];
