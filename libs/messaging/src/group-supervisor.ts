// Keeps one consumer of a group running over the topics it should read at the moment.
import { setTimeout as sleep } from 'node:timers/promises';
import { backoffMs } from './backoff';
import { messageOf } from './faults';
import { GroupConsumer } from './group-consumer';
import type { GroupContext } from './group-context';
import type { StatusBoard } from './group-status';
import type { EventLog } from './log/port';
import { ParkedRetrier } from './parked-retrier';
import { establishTopics } from './topics';

const MISSING_MS = 2000;

export class GroupSupervisor {
  private readonly retrier: ParkedRetrier;
  private consumer: GroupConsumer | undefined;
  private topics: readonly string[] = [];
  private missing: readonly string[] = [];
  private readonly stopping = new AbortController();
  private timer: NodeJS.Timeout | undefined;
  private working: Promise<void> = Promise.resolve();
  private joined: Promise<void>;
  private resolveJoined: () => void = () => undefined;

  constructor(
    private readonly context: GroupContext,
    private readonly log: EventLog,
    private readonly status: StatusBoard,
    private readonly onFatal: (error: Error) => void,
  ) {
    this.retrier = new ParkedRetrier(context);
    this.joined = new Promise((resolve) => {
      this.resolveJoined = resolve;
    });
  }

  start(): void {
    this.retrier.start();
    this.schedule(0);
  }

  /** Several changes within a moment restart the consumer once. */
  changed(): void {
    this.schedule(this.context.tuning.topicsDebounceMs);
  }

  /** Resolves when the group consumes what it has topics for. */
  whenJoined(): Promise<void> {
    return this.joined;
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    clearTimeout(this.timer);
    await this.working;
    await Promise.all([this.retrier.stop(), this.consumer?.stop()]);
    this.consumer = undefined;
  }

  private schedule(ms: number): void {
    if (this.stopping.signal.aborted) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.working = this.working.then(() => this.apply());
    }, ms);
  }

  private async apply(): Promise<void> {
    const { group, tuning, logger } = this.context;
    const { signal } = this.stopping;
    for (let attempt = 1; !signal.aborted; attempt += 1) {
      try {
        const topics = await this.wantedTopics();
        if (!sameTopics(topics, this.topics)) await this.consume(topics);
        else if (topics.length === 0) this.idle();
        if (this.missing.length > 0) this.schedule(MISSING_MS);
        return;
      } catch (error) {
        this.status.notReady(`group ${group}`, messageOf(error));
        logger.warn({ group, attempt, fault: messageOf(error) }, 'consuming cannot begin yet');
        await sleep(backoffMs(attempt, tuning.backoffMinMs, tuning.backoffMaxMs), undefined, { signal }).catch(
          () => undefined,
        );
      }
    }
  }

  private async consume(topics: readonly string[]): Promise<void> {
    const { group, logger } = this.context;
    const previous = this.consumer;
    this.consumer = undefined;
    this.topics = [];
    await previous?.stop();
    if (topics.length === 0) {
      this.idle();
      return;
    }
    this.status.notReady(`group ${group}`, 'joining');
    logger.info({ group, topics }, 'consuming');
    const consumer = new GroupConsumer(this.context, this.log, this.status, this.onFatal, () => {
      this.status.ready(`group ${group}`);
      this.resolveJoined();
    });
    this.consumer = consumer;
    await consumer.start(topics);
    this.topics = topics;
  }

  /** A group without topics does not connect, and is ready. */
  private idle(): void {
    this.status.ready(`group ${this.context.group}`);
    this.resolveJoined();
  }

  /**
   * Own topics are created; foreign ones belong to others and are waited for. A group that reads anything also reads what
   * people ask it to do with its dead letters.
   */
  private async wantedTopics(): Promise<string[]> {
    const { group, routes, logger } = this.context;
    const own = routes.ownTopics();
    if (own.length > 0) await establishTopics(this.log, own, logger);
    const foreign = routes.foreignTopics();
    const existing = foreign.length > 0 ? await this.log.topicNames() : new Set<string>();
    const missing = foreign.filter((topic) => !existing.has(topic));
    for (const topic of missing) {
      if (!this.missing.includes(topic))
        logger.warn({ group, topic }, 'foreign topic does not exist yet, waiting for it');
    }
    this.missing = missing;
    const wanted = [...own, ...foreign.filter((topic) => existing.has(topic))];
    if (wanted.length === 0) return [];
    await establishTopics(this.log, [routes.redriveTopic], logger);
    return [...wanted, routes.redriveTopic].sort();
  }
}

function sameTopics(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((topic, index) => topic === b[index]);
}
