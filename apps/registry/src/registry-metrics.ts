import { Counter, Gauge } from 'prom-client';

export const versionsRegistered = new Counter({
  name: 'headrace_registry_versions_total',
  help: 'Model versions by what their gates said: validated, refused, waived.',
  labelNames: ['model', 'outcome'] as const,
});

export const gateFailures = new Counter({
  name: 'headrace_registry_gate_failures_total',
  help: 'Gates that a version did not pass.',
  labelNames: ['model', 'gate'] as const,
});

export const rolloutsEnded = new Counter({
  name: 'headrace_registry_rollouts_total',
  help: 'Rollouts by how they ended: promoted, rolled_back, aborted.',
  labelNames: ['endpoint', 'outcome'] as const,
});

export const deploymentGeneration = new Gauge({
  name: 'headrace_registry_deployment_generation',
  help: 'Newest generation of the desired state of an endpoint.',
  labelNames: ['endpoint'] as const,
});
