// Publishes the outbox: one owner for each shard, by an advisory lock of one connection.
import { setTimeout as sleep } from 'node:timers/promises';
import type { DataSource, QueryRunner } from 'typeorm';
import { backoffMs } from './backoff';
import { prepared, rows, type Statement } from './database';
import { PRODUCER_SEQUENCE, PRODUCER_SHARD } from './envelope';
import { traceSent } from './event-trace';
import { isObject, messageOf } from './faults';
import type { StatusBoard } from './group-status';
import type { MessagingLogger } from './logger';
import type { LogWriter } from './log-writer';
import { metrics } from './metrics';
import { OUTBOX_CHANNEL_PREFIX, SHARDS, type OutboxEvent } from './outbox';
import { unpackEvents } from './packed-events';
import { HeaderBlock } from './record-bytes';
import { WakeSignal } from './wake-signal';

/** Of one round: rows, and the bytes that they hold. */
const BATCH_ROWS = 200;
const BATCH_BYTES = 2_000_000;
const POLL_MS = 250;
/** How often shards of a relay that died are looked for. */
const CLAIM_MS = 1000;
const MEASURE_MS = 5000;
const WHAT = 'outbox relay';

/** Removes what the broker has acknowledged ($2) and reads on in these shards ($1): the statement of a round. */
const NEXT: Statement = {
  name: 'headrace_relay_next',
  text: `
    WITH gone AS (DELETE FROM outbox WHERE sequence = ANY($2::bigint[]))
    SELECT sequence, shard, topic, packed FROM (
      SELECT *, sum(octet_length(packed)) OVER (ORDER BY sequence) AS bytes, row_number() OVER (ORDER BY sequence) AS nth
        FROM (
          SELECT sequence, shard, topic, packed FROM outbox
           WHERE shard = ANY($1::int[]) AND sequence <> ALL($2::bigint[]) ORDER BY sequence LIMIT ${BATCH_ROWS}
        ) AS first
    ) AS measured WHERE nth = 1 OR bytes <= ${BATCH_BYTES} ORDER BY sequence`,
};

/** `sequence` is the number of its first event. */
interface Row {
  sequence: string;
  shard: number;
  topic: string;
  packed: Buffer;
}

export interface RelayOptions {
  readonly dataSource: DataSource;
  readonly writer: LogWriter;
  readonly service: string;
  readonly logger: MessagingLogger;
  readonly status: StatusBoard;
  /** Postgres ends the session of a relay that stands still for longer: a stopped process cannot hold shards for ever. */
  readonly idleMs: number;
  /** Between acknowledgement and clean-up: where a test lets the relay die. */
  readonly onAcknowledged?: () => Promise<void>;
}

export class OutboxRelay {
  private running: Promise<void> | undefined;
  private stopping = false;
  private readonly signal = new WakeSignal();
  private measuring: NodeJS.Timeout | undefined;
  /** Of the database: one that was made anew is another producer. */
  private outboxId = '';
  /** Shards of which this relay is the owner; others must be told of by NOTIFY. */
  private owned: ReadonlySet<number> = new Set();

  constructor(private readonly options: RelayOptions) {}

  start(): void {
    this.running ??= this.run();
    this.measuring ??= setInterval(() => void this.measure(), MEASURE_MS);
  }

  /** Whether all of these shards are this relay's. When it has just lost one, the next owner finds the events by its poll. */
  owns(shards: readonly number[]): boolean {
    return shards.every((shard) => this.owned.has(shard));
  }

  wake(): void {
    this.signal.wake();
  }

  /** Publishes what is there, as far as the time allows. */
  async stop(deadlineMs: number): Promise<void> {
    this.stopping = true;
    this.signal.wake();
    clearInterval(this.measuring);
    const deadline = new AbortController();
    await Promise.race([
      this.running?.finally(() => deadline.abort()),
      sleep(deadlineMs, undefined, { signal: deadline.signal }).catch(() => undefined),
    ]);
  }

  private async run(): Promise<void> {
    const { logger, status } = this.options;
    for (let failures = 0; !this.stopping;) {
      try {
        await this.serve(() => {
          failures = 0;
          status.ready(WHAT);
        });
      } catch (error) {
        failures += 1;
        status.notReady(WHAT, messageOf(error));
        const waitMs = backoffMs(failures, 100, 5000);
        logger.warn(
          { failures, waitMs: Math.round(waitMs), fault: messageOf(error) },
          'the outbox cannot be published now',
        );
        if (!this.stopping) await this.signal.wait(waitMs);
      }
    }
  }

  /** Until stopped, or until the connection (and with it every shard) is lost. */
  private async serve(healthy: () => void): Promise<void> {
    const runner = this.options.dataSource.createQueryRunner();
    const wake = (): void => this.wake();
    let client: Notifier | undefined;
    try {
      client = notifier(await runner.connect());
      client.on('notification', wake);
      const [{ schema = '' } = {}] = await rows<{ schema?: string }>(runner, 'SELECT current_schema() AS schema');
      // A clean-up that a crash of the database forgets is a repeat, which consumers drop: nobody has to wait for its disk.
      await runner.query(
        `SELECT set_config('idle_session_timeout', $1, false), set_config('synchronous_commit', 'off', false)`,
        [String(this.options.idleMs)],
      );
      await runner.query(`LISTEN "${OUTBOX_CHANNEL_PREFIX}${schema}"`);
      const [{ id = '' } = {}] = await rows<{ id?: string }>(runner, 'SELECT id::text AS id FROM outbox_identity');
      this.outboxId = id;
      const owned = new Set<number>();
      this.owned = owned;
      let acknowledged: readonly string[] = [];
      for (let claimedAt = 0; ;) {
        if (owned.size < SHARDS && Date.now() - claimedAt >= CLAIM_MS) {
          await claim(runner, owned);
          claimedAt = Date.now();
        }
        this.signal.reset();
        acknowledged = await this.round(runner, [...owned], acknowledged);
        healthy();
        if (acknowledged.length > 0) continue;
        if (this.stopping) return;
        await this.signal.wait(POLL_MS);
      }
    } finally {
      this.owned = new Set();
      client?.off('notification', wake);
      if (!runner.isReleased) {
        // The pool would keep the locks and the subscription with the connection.
        await runner.query('SELECT pg_advisory_unlock_all()').catch(() => undefined);
        await runner.query('UNLISTEN *').catch(() => undefined);
        await runner.query('RESET idle_session_timeout').catch(() => undefined);
        await runner.query('RESET synchronous_commit').catch(() => undefined);
        if (!runner.isReleased) await runner.release();
      }
    }
  }

  /** Publishes what comes next; which rows the broker has acknowledged, for the clean-up that the next round begins with. */
  private async round(
    runner: QueryRunner,
    shards: readonly number[],
    acknowledged: readonly string[],
  ): Promise<readonly string[]> {
    if (shards.length === 0) return [];
    const batch = await prepared<Row>(runner, NEXT, [shards, acknowledged]);
    if (batch.length === 0) return [];
    const events = batch.flatMap((row) => this.eventsOf(row));
    await this.whileAwake(runner, () => this.options.writer.write(events));
    for (const event of events) traceSent(event);
    await this.options.onAcknowledged?.();
    metrics.published.inc({ path: 'outbox' }, events.length);
    return batch.map((row) => row.sequence);
  }

  /** The broker may take long; who waits for it does not stand still. */
  private async whileAwake(runner: QueryRunner, work: () => Promise<void>): Promise<void> {
    const beat = setInterval(() => {
      runner.query('SELECT 1').catch((error: unknown) => {
        this.options.logger.debug({ fault: messageOf(error) }, 'the session of the relay is lost');
      });
    }, this.options.idleMs / 4);
    try {
      await work();
    } finally {
      clearInterval(beat);
    }
  }

  private eventsOf({ sequence, shard, topic, packed }: Row): OutboxEvent[] {
    const first = Number(sequence);
    const producer = `${this.options.service}/${this.outboxId}/${shard}`;
    return unpackEvents(packed).map(({ key, value, headers, numbered }, index) => {
      if (!numbered) return { topic, key, value, headers, numbered };
      const number = { [PRODUCER_SHARD]: producer, [PRODUCER_SEQUENCE]: String(first + index) };
      return { topic, key, value, headers: HeaderBlock.of(number, headers), numbered };
    });
  }

  private async measure(): Promise<void> {
    try {
      const measured: unknown = await this.options.dataSource.query(
        'SELECT coalesce(sum(events), 0) AS depth, coalesce(extract(epoch FROM now() - min(created_at)), 0) AS age FROM outbox',
      );
      const [row] = measured as { depth: string; age: string }[];
      metrics.outboxDepth.set(Number(row?.depth ?? 0));
      metrics.outboxAge.set(Number(row?.age ?? 0));
    } catch (error) {
      this.options.logger.debug({ fault: messageOf(error) }, 'outbox not measured');
    }
  }
}

async function claim(runner: QueryRunner, owned: Set<number>): Promise<void> {
  const wanted = Array.from({ length: SHARDS }, (_, shard) => shard).filter((shard) => !owned.has(shard));
  const claimed = await rows<{ shard: number; got: boolean }>(
    runner,
    `SELECT shard, pg_try_advisory_lock(hashtext(current_schema() || '/outbox-relay'), shard) AS got
       FROM unnest($1::int[]) AS shard`,
    [wanted],
  );
  for (const { shard, got } of claimed) if (got) owned.add(shard);
}

interface Notifier {
  on(event: 'notification', listener: () => void): unknown;
  off(event: 'notification', listener: () => void): unknown;
}

function notifier(client: unknown): Notifier {
  if (isObject(client) && 'on' in client && 'off' in client) return client as Notifier;
  throw new TypeError('the database driver has no notifications: a Postgres DataSource is needed');
}
