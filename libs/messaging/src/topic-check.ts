// Topics as they are, against the catalogue.
import type { TopicConfig, TopicState } from './log/port';

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
