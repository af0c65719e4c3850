// kafkajs reports at once, as errors, what every broker answers for a moment about a fresh topic or a group that rebalances,
// and then tries again. Somebody should look only when it lasts.

/** Texts of the broker's answers, as kafkajs has them in its messages and error fields. */
const PASSING = [
  'This server is not the leader for that topic-partition',
  'There is no leader for this topic-partition as we are in the middle of a leadership election',
  'This server does not host this topic-partition',
  "The coordinator is loading and hence can't process requests",
  'This is not the correct coordinator for this group',
  'The group coordinator is not available',
  'The group is rebalancing, so a rejoin is needed',
  'The group member needs to have a valid member id before actually entering a consumer group',
];
const LASTING_MS = 10_000;
/** Silence after which the next report begins anew. */
const FORGET_MS = 10_000;

export class PassingFaults {
  private readonly seen = new Map<string, { since: number; last: number }>();

  /** True when the report says something passing, and has not said it for long. `now` in milliseconds. */
  isPassing(report: string, now = Date.now()): boolean {
    const text = PASSING.find((passing) => report.includes(passing));
    if (text === undefined) return false;
    const known = this.seen.get(text);
    const since = known !== undefined && now - known.last <= FORGET_MS ? known.since : now;
    this.seen.set(text, { since, last: now });
    return now - since < LASTING_MS;
  }
}
