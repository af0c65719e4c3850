// What readiness and metrics say about the groups of this process.
import type { MessagingHealth, MessagingStatus, PausedPartition } from './health';
import { metrics } from './metrics';

export class StatusBoard implements MessagingHealth {
  private readonly faults = new Map<string, string>();
  private readonly paused = new Map<string, PausedPartition>();

  /** `what` is not ready for this reason. */
  notReady(what: string, reason: string): void {
    this.faults.set(what, reason);
  }

  ready(what: string): void {
    this.faults.delete(what);
  }

  pause(group: string, topic: string, partition: number, reason: string): void {
    const key = `${group}/${topic}/${partition}`;
    const sinceMs = this.paused.get(key)?.sinceMs ?? Date.now();
    this.paused.set(key, { group, topic, partition, reason, sinceMs });
    this.count(group);
  }

  resume(group: string, topic: string, partition: number): void {
    if (this.paused.delete(`${group}/${topic}/${partition}`)) this.count(group);
  }

  resumeAll(group: string): void {
    for (const { topic, partition, group: owner } of [...this.paused.values()]) {
      if (owner === group) this.resume(group, topic, partition);
    }
  }

  status(): MessagingStatus {
    const paused = [...this.paused.values()];
    const reasons = [...this.faults].map(([what, reason]) => `${what}: ${reason}`);
    for (const { group, topic, partition, reason } of paused) {
      reasons.push(`group ${group} waits at ${topic}/${partition}: ${reason}`);
    }
    return { ready: reasons.length === 0, reasons, paused };
  }

  private count(group: string): void {
    metrics.paused.set({ group }, [...this.paused.values()].filter((partition) => partition.group === group).length);
  }
}
