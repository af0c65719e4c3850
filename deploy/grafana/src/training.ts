// "Headrace: training": how versions are made, and whether they pass.
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { Seconds, Short } from '@grafana/grafana-foundation-sdk/units';
import { dashboard } from './dashboard';
import { stat, timeSeries } from './panels';
import { heldRetraining } from './retraining-panels';

const PLAN = 'plan=~"$plan"';

const now = () => [
  stat({
    title: 'Trainers running',
    description: 'Trainer processes at work now.',
    unit: Short,
    decimals: 0,
    width: 6,
    queries: [{ expr: 'sum(headrace_training_trainers_running)', legend: 'trainers' }],
    show: 'value',
  }),
  stat({
    title: 'Runs',
    description: 'Runs that ended, since training started. Runbook: training-failed.',
    unit: Short,
    decimals: 0,
    width: 9,
    queries: [{ expr: `sum by (outcome) (headrace_training_runs_total{${PLAN}})`, legend: '{{outcome}}' }],
  }),
  stat({
    title: 'Versions',
    description: 'Versions registered, by what their gates said: validated, refused, waived by a person.',
    unit: Short,
    decimals: 0,
    width: 9,
    queries: [{ expr: 'sum by (outcome) (headrace_registry_versions_total)', legend: '{{outcome}}' }],
  }),
];

const runs = () => [
  timeSeries({
    title: 'Runs by plan',
    description: 'Runs that ended, since training started.',
    unit: Short,
    decimals: 0,
    width: 8,
    min: 0,
    steps: true,
    queries: [
      { expr: `sum by (plan, outcome) (headrace_training_runs_total{${PLAN}})`, legend: '{{plan}} {{outcome}}' },
    ],
  }),
  timeSeries({
    title: 'Time of each step',
    description: 'Mean since training started: the snapshot of datasets, the point-in-time join, the fit, registering.',
    unit: Seconds,
    width: 8,
    min: 0,
    queries: [
      {
        expr: 'sum by (step) (headrace_training_step_seconds_sum) / (sum by (step) (headrace_training_step_seconds_count) > 0)',
        legend: '{{step}}',
      },
    ],
  }),
  timeSeries({
    title: 'Time of the joins',
    description: 'Mean since the feature store started, by plan and outcome.',
    unit: Seconds,
    width: 8,
    min: 0,
    queries: [
      {
        expr:
          `sum by (plan, outcome) (headrace_feature_store_materialization_seconds_sum{${PLAN}})` +
          ` / (sum by (plan, outcome) (headrace_feature_store_materialization_seconds_count{${PLAN}}) > 0)`,
        legend: '{{plan}} {{outcome}}',
      },
    ],
  }),
];

const gates = () => [
  timeSeries({
    title: 'Gates that failed',
    description: 'By gate, since the registry started.',
    unit: Short,
    decimals: 0,
    width: 8,
    min: 0,
    steps: true,
    queries: [
      {
        expr: 'sum by (model, gate) (headrace_registry_gate_failures_total) or vector(0)',
        legend: '{{model}} {{gate}}',
      },
    ],
  }),
  timeSeries({
    title: 'Gates that wait for a replay',
    description:
      "Versions passed all other gates and wait until monitoring tells what they would have answered to past requests; nobody is served by them. Looked at again with growing pauses, until the gate's `wait` is over.",
    unit: Short,
    decimals: 0,
    width: 8,
    min: 0,
    steps: true,
    queries: [
      {
        expr: 'max by (model) (headrace_monitoring_gate_replays_waiting) or vector(0)',
        legend: '{{model}}',
      },
    ],
  }),
  timeSeries({
    title: 'Replays for gates',
    description:
      'Answered since monitoring started: measured, or inconclusive, when labelled requests were too few until the deadline.',
    unit: Short,
    decimals: 0,
    width: 8,
    min: 0,
    steps: true,
    queries: [
      {
        expr: 'sum by (model, outcome) (headrace_monitoring_gate_replays_total) or vector(0)',
        legend: '{{model}} {{outcome}}',
      },
    ],
  }),
];

const retraining = () => [
  timeSeries({
    title: 'Retrainings asked for',
    description: 'By monitor and the signal that asked, since monitoring started.',
    unit: Short,
    decimals: 0,
    width: 24,
    min: 0,
    steps: true,
    queries: [
      {
        expr: 'sum by (monitor, signal) (headrace_monitoring_retraining_requests_total) or vector(0)',
        legend: '{{monitor}} {{signal}}',
      },
    ],
  }),
  ...heldRetraining(''),
];

export function training(): Dashboard {
  return dashboard({
    uid: 'headrace-training',
    title: 'Headrace: training',
    description: 'Training runs, their steps, and the gates that their versions pass.',
    variables: ['plan'],
    rows: [
      ['Now', now],
      ['Runs', runs],
      ['Gates', gates],
      ['Retraining', retraining],
    ],
  });
}
