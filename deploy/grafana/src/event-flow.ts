// "Headrace: event flow": whether events get from one service to the next, how fast, and what became of those that did not.
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { EventsPerSecond, Seconds, Short } from '@grafana/grafana-foundation-sdk/units';
import { dashboard } from './dashboard';
import { mean, perSecond, quantile } from './expressions';
import { messaging } from './overview-data';
import { timeSeries } from './panels';

const GROUP = 'group=~"$group"';

const handlers = () => [
  timeSeries({
    title: 'Events handled by group and type',
    description: 'Events whose effect is committed, a second.',
    unit: EventsPerSecond,
    width: 12,
    min: 0,
    queries: [
      {
        expr: perSecond('headrace_messaging_events_handled_total', 'group, type', GROUP),
        legend: '{{group}} {{type}}',
      },
    ],
  }),
  timeSeries({
    title: 'Time of a handler call, p99',
    description: 'Without the commit that follows. One slow type delays the others of its partition.',
    unit: Seconds,
    width: 12,
    min: 0,
    queries: [
      {
        expr: quantile(0.99, 'headrace_messaging_handling_seconds', 'group, type', GROUP),
        legend: '{{group}} {{type}}',
      },
    ],
  }),
  timeSeries({
    title: 'From event to effect by type, p99',
    description:
      'From the time that an event carries to the commit of its effect. Events of a replayed past are as old as it is.',
    exemplars: true,
    unit: Seconds,
    width: 8,
    min: 0,
    queries: [{ expr: quantile(0.99, 'headrace_messaging_event_age_seconds', 'type', GROUP), legend: '{{type}}' }],
  }),
  timeSeries({
    title: 'Events of a batch',
    description: 'Mean size of fetched batches: it grows when a group falls behind, and makes each event cheaper.',
    unit: Short,
    width: 8,
    min: 0,
    queries: [{ expr: mean('headrace_messaging_batch_events', 'group', GROUP), legend: '{{group}}' }],
  }),
  timeSeries({
    title: 'Events published',
    description:
      'Acknowledged by the broker, a second: by way of the outbox, or in bulk with their origin as identity.',
    unit: EventsPerSecond,
    width: 8,
    min: 0,
    queries: [{ expr: perSecond('headrace_messaging_published_total', 'job, path'), legend: '{{job}} {{path}}' }],
  }),
];

const faults = () => [
  timeSeries({
    title: 'Dead letters by reason',
    description:
      'Since the services started. `headrace dlq list` shows them, `redrive` sends them again. Runbook: dead-letters.',
    unit: Short,
    decimals: 0,
    width: 8,
    min: 0,
    steps: true,
    queries: [
      {
        expr: `sum by (group, reason) (headrace_messaging_dead_letters_total{${GROUP}}) or vector(0)`,
        legend: '{{group}} {{reason}}',
      },
    ],
  }),
  timeSeries({
    title: 'Tries repeated',
    description: 'By kind of fault, a second. Runbook: partition-paused.',
    unit: EventsPerSecond,
    width: 8,
    min: 0,
    queries: [
      {
        expr: `${perSecond('headrace_messaging_retries_total', 'group, kind', GROUP)} or vector(0)`,
        legend: '{{group}} {{kind}}',
      },
    ],
  }),
  timeSeries({
    title: 'Times joined',
    description:
      'How often each group was joined since its service started: each time its partitions were given out anew.',
    unit: Short,
    decimals: 0,
    width: 8,
    min: 0,
    steps: true,
    queries: [{ expr: `sum by (group) (headrace_messaging_rebalances_total{${GROUP}})`, legend: '{{group}}' }],
  }),
  timeSeries({
    title: 'Unreadable events',
    description:
      'Met by readers that belong to no group (what every instance reads for itself), and skipped, since the services started. Those of groups are dead letters.',
    unit: Short,
    decimals: 0,
    width: 24,
    min: 0,
    steps: true,
    limits: { warning: 1 },
    queries: [
      {
        expr: 'sum by (job, topic) (headrace_messaging_unreadable_events_total) or vector(0)',
        legend: '{{job}} {{topic}}',
      },
    ],
  }),
];

export function eventFlow(): Dashboard {
  return dashboard({
    uid: 'headrace-events',
    title: 'Headrace: event flow',
    description: 'Whether events get from one service to the next, how fast, and what became of those that did not.',
    variables: ['group'],
    rows: [
      ['Flow', messaging],
      ['Handlers', handlers],
      ['Faults', faults],
    ],
  });
}
