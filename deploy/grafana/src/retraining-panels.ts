// Panels about whether signals lead to a new version, and what stands in their way.
import { Short } from '@grafana/grafana-foundation-sdk/units';
import { heatLines, timeSeries } from './panels';

export const heldRetraining = (selector: string) => [
  heatLines({
    title: 'Retraining held back',
    description:
      '1 while signals ask for a retraining that is held back, by reason: a rollout in progress, a request that is open, a person needed, cool-down, the maximum of the day, quiet hours. `headrace monitor` says until when.',
    unit: Short,
    decimals: 0,
    width: 16,
    limits: { warning: 1 },
    queries: [
      {
        expr: `max by (monitor, reason) (headrace_monitoring_retraining_held{${selector}})`,
        legend: '{{reason}}, {{monitor}}',
      },
    ],
  }),
  timeSeries({
    title: 'Retrainings without a person',
    description:
      'Asked for in a row since a person acted on the model. At `maximumWithoutPerson` of the Monitor the next one waits for a person.',
    unit: Short,
    decimals: 0,
    width: 8,
    min: 0,
    steps: true,
    queries: [
      {
        expr: `max by (monitor) (headrace_monitoring_requests_without_person{${selector}})`,
        legend: '{{monitor}}',
      },
    ],
  }),
];
