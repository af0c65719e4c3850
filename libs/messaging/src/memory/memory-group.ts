// A consumer group: who belongs to it, and who has which partitions. A change of members lets everybody finish what is in
// hand before partitions change hands; who takes longer than the session allows is put out and may come again.

export interface GroupMember {
  readonly topics: readonly string[];
  readonly sessionTimeoutMs: number;
  /** Begin nothing more; say `settled` when nothing is in hand. */
  rebalance(): void;
  /** Put out: the others go on. */
  expelled(): void;
  assigned(assignment: ReadonlyMap<string, readonly number[]>): void;
}

export class MemoryGroup {
  /** By `topic/partition`, the next offset. */
  readonly reported = new Map<string, number>();
  private readonly members = new Set<GroupMember>();
  private readonly settledMembers = new Set<GroupMember>();
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly partitionCount: (topic: string) => number) {}

  join(member: GroupMember): void {
    this.members.add(member);
    this.rebalance();
  }

  leave(member: GroupMember): void {
    if (this.members.delete(member)) this.rebalance();
  }

  settled(member: GroupMember): void {
    if (!this.members.has(member)) return;
    this.settledMembers.add(member);
    if (this.settledMembers.size === this.members.size) this.assign();
  }

  private rebalance(): void {
    clearTimeout(this.timer);
    this.settledMembers.clear();
    if (this.members.size === 0) return;
    const longest = Math.max(...[...this.members].map(({ sessionTimeoutMs }) => sessionTimeoutMs));
    this.timer = setTimeout(() => this.expelUnsettled(), longest);
    for (const member of [...this.members]) member.rebalance();
  }

  private expelUnsettled(): void {
    for (const member of [...this.members]) {
      if (this.settledMembers.has(member)) continue;
      this.members.delete(member);
      member.expelled();
    }
    if (this.members.size > 0) this.assign();
  }

  /** Round robin over the members that read the topic. */
  private assign(): void {
    clearTimeout(this.timer);
    this.settledMembers.clear();
    const members = [...this.members];
    const shares = new Map(members.map((member) => [member, new Map<string, number[]>()]));
    let turn = 0;
    for (const topic of [...new Set(members.flatMap(({ topics }) => topics))].sort()) {
      const readers = members.filter(({ topics }) => topics.includes(topic));
      for (let partition = 0; partition < this.partitionCount(topic); partition += 1) {
        const reader = readers[turn % readers.length];
        turn += 1;
        const share = reader && shares.get(reader);
        share?.set(topic, [...(share.get(topic) ?? []), partition]);
      }
    }
    for (const [member, share] of shares) member.assigned(share);
  }
}
