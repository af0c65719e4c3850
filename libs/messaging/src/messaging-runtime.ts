// Everything of the library that runs in a service, from start to a clean leave.
import { setTimeout as sleep } from 'node:timers/promises';
import type { BeforeApplicationShutdown, OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import type { DataSource } from 'typeorm';
import { backoffMs } from './backoff';
import { LogBulkPublisher } from './bulk-publisher';
import { afterCommit, checkTables } from './database';
import { asError, isTransient, messageOf } from './faults';
import { StatusBoard } from './group-status';
import type { GroupContext } from './group-context';
import { GroupSupervisor } from './group-supervisor';
import { HangWatch } from './hang-watch';
import type { Binding } from './handlers';
import type { EventLog } from './log/port';
import { EventLogReader } from './log-reader';
import { LogWriter } from './log-writer';
import { silentLogger, type MessagingLogger } from './logger';
import { bulkPatienceMs, checkedTuning, type MessagingOptions, type Tuning } from './options';
import { openLog } from './open-log';
import { writeOutbox } from './outbox';
import { OutboxRelay } from './outbox-relay';
import { GroupRoutes, type Invoke } from './routes';
import { TopicSelection } from './topic-subscriptions';
import { establishTopics, staticTopics } from './topics';
import { GroupReplay } from './replay/group-replay';
import type { ReplayRequest, ReplaySummary } from './replay/replay-types';
import { Withheld } from './replay/withheld';
import type { BulkPublisher, UnitOfWork } from './types';
import { PostgresUnitOfWork } from './unit-of-work';

const START = 'messaging';

export class MessagingRuntime implements OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown {
  readonly status = new StatusBoard();
  readonly selection = new TopicSelection();
  readonly bulkPublisher: BulkPublisher;
  readonly logReader: EventLogReader;
  private readonly service: string;
  private readonly logger: MessagingLogger;
  private readonly tuning: Tuning;
  private readonly log: EventLog;
  private readonly outboxWriter: LogWriter;
  private readonly bulkWriter: LogWriter;
  private readonly relay: OutboxRelay | undefined;
  /** Of a process that replays: where everything ends that it would publish. */
  private readonly withheld: Withheld | undefined;
  private readonly hangWatch: HangWatch;
  private readonly groups = new Map<string, GroupRoutes>();
  private readonly supervisors = new Map<string, GroupSupervisor>();
  private readonly stopping = new AbortController();
  private consuming: Promise<void> | undefined;
  private stopped: Promise<void> | undefined;
  private fatal = false;

  constructor(
    private readonly options: MessagingOptions,
    private readonly dataSource: DataSource | undefined,
  ) {
    this.service = options.service;
    this.logger = options.logger ?? silentLogger;
    this.tuning = checkedTuning(options.tuning);
    const { service, logger, status } = this;
    this.hangWatch = new HangWatch(service, this.tuning.eventLoopHangMs, logger);
    this.log = openLog(options.brokers, `headrace-${service}`, logger);
    this.outboxWriter = new LogWriter(this.log);
    this.bulkWriter = new LogWriter(this.log, bulkPatienceMs(this.tuning));
    this.withheld = options.replay === true ? new Withheld() : undefined;
    this.bulkPublisher = this.withheld ?? new LogBulkPublisher(this.bulkWriter, service);
    this.logReader = new EventLogReader(this.log, service, logger);
    const idleMs = this.tuning.idleInTransactionMs;
    if (dataSource && !this.withheld) {
      this.relay = new OutboxRelay({ dataSource, writer: this.outboxWriter, service, logger, status, idleMs });
    }
    this.selection.onChange((group) => this.supervisors.get(group)?.changed());
  }

  get unitOfWork(): UnitOfWork {
    if (!this.dataSource) throw new Error(`service ${this.service} has no DataSource, so no unit of work`);
    return new PostgresUnitOfWork(this.dataSource, this.service, this.tuning.idleInTransactionMs, this.writeOutbox);
  }

  bind(binding: Binding, invoke: Invoke): void {
    const name = binding.options.group ?? this.service;
    const routes = this.groups.get(name) ?? new GroupRoutes(name, this.selection);
    this.groups.set(name, routes);
    routes.add(binding, invoke);
  }

  /** The outbox is published also by services that only publish. */
  onApplicationBootstrap(): void {
    this.relay?.start();
  }

  /** Begins in the background: a service is up, but not ready, while the broker or the database is away. */
  consume(): void {
    if (this.withheld) return;
    this.consuming ??= this.startGroups().catch((error: unknown) => {
      this.fail(asError(error));
    });
  }

  /** Handles what stands on the log once more, for one group, with what it publishes withheld. */
  async replay(request: ReplayRequest, signal: AbortSignal): Promise<ReplaySummary> {
    const { dataSource, service, tuning, logger, log, withheld } = this;
    if (!withheld || !dataSource) throw new Error(`service ${service} was not started to replay`);
    const routes = this.groups.get(request.group);
    if (!routes) {
      throw new RangeError(
        `service ${service} has no group ${request.group}: it has ${[...this.groups.keys()].join(', ')}`,
      );
    }
    this.checkSelection();
    await checkTables(dataSource);
    return new GroupReplay({ dataSource, service, tuning, logger, log, withheld, routes }, request, signal).run();
  }

  async whenReady(): Promise<void> {
    await this.consuming;
    await Promise.all([...this.supervisors.values()].map((supervisor) => supervisor.whenJoined()));
  }

  /**
   * A service that handles events is stopped by its transport, after HTTP and gRPC took their last command. One that
   * only publishes is stopped here, while its database is still open; what comes later waits in the outbox.
   */
  async beforeApplicationShutdown(): Promise<void> {
    if (!this.consuming) await this.stop();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.stop();
  }

  /** Stops intake, finishes what is in hand, empties the outbox as far as the deadline allows, leaves. */
  stop(): Promise<void> {
    this.stopped ??= this.stopAll();
    return this.stopped;
  }

  private async stopAll(): Promise<void> {
    const { shutdownMs } = this.tuning;
    this.stopping.abort();
    await this.within(shutdownMs, 'consumers', async () => {
      await this.consuming;
      await Promise.all([...this.supervisors.values()].map((supervisor) => supervisor.stop()));
    });
    await this.relay?.stop(shutdownMs);
    await this.hangWatch.stop();
    await this.within(2000, 'connections', async () => {
      await this.logReader.close();
      await Promise.all([this.outboxWriter.close(), this.bulkWriter.close()]);
      await this.log.close();
    });
  }

  private async within(ms: number, what: string, work: () => Promise<void>): Promise<void> {
    const finished = new AbortController();
    const late = sleep(ms, undefined, { signal: finished.signal }).then(
      () => this.logger.warn({ ms }, `${what} did not stop in time`),
      () => undefined,
    );
    await Promise.race([
      work()
        .catch((error: unknown) => this.logger.warn({ fault: messageOf(error) }, `${what} did not stop cleanly`))
        .finally(() => finished.abort()),
      late,
    ]);
  }

  private async startGroups(): Promise<void> {
    const { dataSource, service, tuning, logger } = this;
    if (this.groups.size === 0) return;
    if (!dataSource)
      throw new Error(`service ${service} handles events but has no DataSource to keep its positions in`);
    this.checkSelection();
    const clusterId = await this.patiently(async () => {
      await checkTables(dataSource);
      await establishTopics(this.log, staticTopics(), logger);
      return this.log.clusterId();
    });
    if (clusterId === undefined) return;
    this.hangWatch.start(dataSource);
    for (const [group, routes] of this.groups) {
      const { hangWatch, writeOutbox } = this;
      const context = { group, service, clusterId, dataSource, routes, tuning, logger, hangWatch, writeOutbox };
      const supervisor = new GroupSupervisor(context, this.log, this.status, (error) => this.fail(error));
      this.supervisors.set(group, supervisor);
      supervisor.start();
    }
  }

  /** The relay of this process learns of a commit at once; NOTIFY, for which commits queue up, is for those of others. */
  private readonly writeOutbox: GroupContext['writeOutbox'] = async (runner, events) => {
    const { relay, withheld } = this;
    if (withheld) return withheld.take(events);
    await writeOutbox(runner, events, (shards) => relay?.owns(shards) !== true);
    if (relay && events.length > 0) afterCommit(runner, () => relay.wake());
  };

  private checkSelection(): void {
    for (const group of this.selection.groups()) {
      const routes = this.groups.get(group);
      const fault = routes ? routes.selectionFault() : `no handler belongs to group ${group}`;
      if (fault !== undefined) throw new Error(fault);
    }
  }

  /** Until broker and database answer; undefined when stopped meanwhile. Other errors are final. */
  private async patiently<R>(work: () => Promise<R>): Promise<R | undefined> {
    const { signal } = this.stopping;
    for (let attempt = 1; !signal.aborted; attempt += 1) {
      try {
        const result = await work();
        this.status.ready(START);
        return result;
      } catch (error) {
        if (!isTransient(error)) throw error;
        this.status.notReady(START, messageOf(error));
        this.logger.warn({ attempt, fault: messageOf(error) }, 'broker or database not there yet');
        const waitMs = backoffMs(attempt, this.tuning.backoffMinMs, this.tuning.backoffMaxMs);
        await sleep(waitMs, undefined, { signal }).catch(() => undefined);
      }
    }
    return undefined;
  }

  private fail(error: Error): void {
    if (this.fatal || this.stopping.signal.aborted) return;
    this.fatal = true;
    this.status.notReady(START, error.message);
    this.logger.error({ stack: error.stack }, `consuming cannot go on: ${error.message}`);
    if (this.options.onFatal) this.options.onFatal(error);
    else process.exit(1);
  }
}
