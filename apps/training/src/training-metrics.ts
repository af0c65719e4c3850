import { Counter, Gauge, Histogram } from 'prom-client';

export const runsFinished = new Counter({
  name: 'headrace_training_runs_total',
  help: 'Training runs by how they ended: done, failed, cancelled.',
  labelNames: ['plan', 'outcome'] as const,
});

export const stepSeconds = new Histogram({
  name: 'headrace_training_step_seconds',
  help: 'How long the steps of finished runs took on the wall clock.',
  labelNames: ['step'] as const,
  buckets: [0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 1_800, 7_200],
});

export const trainersRunning = new Gauge({
  name: 'headrace_training_trainers_running',
  help: 'Trainer processes that run now.',
});
