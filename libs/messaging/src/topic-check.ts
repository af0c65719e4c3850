// Topics as they are, against the catalogue.
import type { EventLog, TopicConfig, TopicState } from './log/port';
import type { MessagingLogger } from './logger';

export interface TopicDifference {
  readonly topic: string;
  readonly setting: 'partitions' | 'cleanup.policy' | 'retention.ms';
  readonly expected: string;
  readonly got: string;
  /** Another number of partitions or another clean-up breaks order or loses events; another retention keeps less or more. */
  readonly severity: 'error' | 'warning';
}

export function differencesOf(expected: TopicConfig, state: TopicState): TopicDifference[] {
  const differences: TopicDifference[] = [];
  const compare = (
    setting: TopicDifference['setting'],
    severity: TopicDifference['severity'],
    wanted: string | number,
    got: string | number,
  ): void => {
    if (wanted === got) return;
    differences.push({ topic: state.name, setting, expected: String(wanted), got: String(got), severity });
  };
  compare('partitions', 'error', expected.partitions, state.partitions);
  compare('cleanup.policy', 'error', expected.cleanup, state.cleanup);
  if (expected.cleanup === 'delete') compare('retention.ms', 'warning', expected.retentionMs, state.retentionMs);
  return differences;
}

export function describeDifference({ topic, setting, expected, got }: TopicDifference): string {
  return `topic ${topic}: ${setting} is ${got}, expected ${expected}`;
}
/**
 * Holds topics that exist against what is wanted. Throws when a number of partitions or a clean-up policy differs, and
 * names every such difference; another retention is a warning.
 */
export async function checkTopics(
  log: EventLog,
  wanted: readonly TopicConfig[],
  logger: MessagingLogger,
): Promise<void> {
  const states = (await log.topicStates?.(wanted.map(({ name }) => name))) ?? [];
  const byName = new Map(states.map((state) => [state.name, state]));
  const differences = wanted.flatMap((expected) => {
    const state = byName.get(expected.name);
    return state ? differencesOf(expected, state) : [];
  });
  for (const difference of differences) {
    if (difference.severity === 'warning') logger.warn({ ...difference }, describeDifference(difference));
  }
  const errors = differences.filter(({ severity }) => severity === 'error');
  if (errors.length > 0) throw new Error(errors.map(describeDifference).join('; '));
}
