import { speakOpenMetrics } from '@headrace/tracing';
import { Counter, Gauge, Histogram, register } from 'prom-client';

speakOpenMetrics();

function once<M>(name: string, make: () => M): M {
  return (register.getSingleMetric(name) as M | undefined) ?? make();
}

function counter<L extends string>(name: string, help: string, labelNames: L[]): Counter<L> {
  return once(name, () => new Counter({ name, help, labelNames }));
}

function gauge<L extends string>(name: string, help: string, labelNames: L[]): Gauge<L> {
  return once(name, () => new Gauge({ name, help, labelNames }));
}

function histogram<L extends string>(name: string, help: string, labelNames: L[], buckets: number[]): Histogram<L> {
  return once(name, () => new Histogram({ name, help, labelNames, buckets }));
}

/** With the trace of an observation, where it is recorded: `observe({ labels, value, exemplarLabels })`. */
function tracedHistogram<L extends string>(
  name: string,
  help: string,
  labelNames: L[],
  buckets: number[],
): Histogram<L> {
  return once(name, () => new Histogram({ name, help, labelNames, buckets, enableExemplars: true }));
}

/** Labels are bounded: groups, topics, partitions, types of the catalogue and the kinds below. */
export const metrics = {
  handled: counter('headrace_messaging_events_handled_total', 'Events settled, by what became of them', [
    'group',
    'type',
    'outcome',
  ]),
  handling: histogram(
    'headrace_messaging_handling_seconds',
    'Time of one handler call',
    ['group', 'type'],
    [0.0005, 0.002, 0.01, 0.05, 0.2, 1, 5, 20, 60],
  ),
  age: tracedHistogram(
    'headrace_messaging_event_age_seconds',
    'From the event time to the commit of its effect',
    ['group', 'type'],
    [0.005, 0.02, 0.05, 0.2, 1, 5, 10, 30, 120, 600],
  ),
  lag: gauge('headrace_messaging_consumer_lag_events', 'Events between the position and the end of the log', [
    'group',
    'topic',
    'partition',
  ]),
  batch: histogram(
    'headrace_messaging_batch_events',
    'Events of one fetched batch of a partition',
    ['group'],
    [1, 5, 20, 50, 100, 200, 500, 1000, 5000],
  ),
  paused: gauge('headrace_messaging_paused_partitions', 'Partitions that wait before another try', ['group']),
  retries: counter('headrace_messaging_retries_total', 'Tries that failed and are repeated', ['group', 'kind']),
  rebalances: counter('headrace_messaging_rebalances_total', 'Times the group was joined', ['group']),
  deadLetters: counter('headrace_messaging_dead_letters_total', 'Events dead-lettered', ['group', 'reason']),
  parked: gauge('headrace_messaging_parked_events', 'Events that wait in parked_events', ['group', 'state']),
  outboxDepth: gauge('headrace_messaging_outbox_rows', 'Events committed but not yet published', []),
  outboxAge: gauge('headrace_messaging_outbox_oldest_seconds', 'Age of the oldest event not yet published', []),
  published: counter('headrace_messaging_published_total', 'Events acknowledged by the broker', ['path']),
  skippedUnreadable: counter('headrace_messaging_unreadable_events_total', 'Undecodable events met outside a group', [
    'topic',
  ]),
} as const;
