import { randomUUID } from 'node:crypto';
import { nowMicros } from '@headrace/event-time';
import { Injectable } from '@nestjs/common';
import { DataSource, type QueryRunner } from 'typeorm';

const LOCK = `hashtext(current_schema() || '.fit'), hashtext($1)`;

/**
 * The right to fit one run: a lock of a database session, so it is free the moment its holder dies; and a token in the
 * run's row, so a holder that lost the session cannot write any more.
 */
export class Claim {
  constructor(
    private readonly session: QueryRunner,
    readonly runId: string,
    readonly token: string,
  ) {}

  /** Says that the holder lives. False: the run was cancelled or taken over. Throws when the session is lost. */
  async beat(): Promise<boolean> {
    const rows = (await this.session.query(
      `WITH beat AS (
         UPDATE runs SET heartbeat_at_micros = $3 WHERE run_id = $1 AND claim = $2 AND state = 'fitting' RETURNING run_id
       ) SELECT run_id FROM beat`,
      [this.runId, this.token, nowMicros()],
    )) as unknown[];
    return rows.length > 0;
  }

  /** Whoever comes next may fit the run, if it is not finished. */
  async release(): Promise<void> {
    // A lost session has freed the lock by itself.
    if (this.session.isReleased) return;
    try {
      await this.session.query('UPDATE runs SET claim = NULL WHERE run_id = $1 AND claim = $2', [
        this.runId,
        this.token,
      ]);
      await this.session.query(`SELECT pg_advisory_unlock(${LOCK})`, [this.runId]);
    } finally {
      await this.session.release();
    }
  }
}

@Injectable()
export class ClaimsRepository {
  constructor(private readonly source: DataSource) {}

  /** The run that has waited longest for a fit and that nobody fits. */
  async take(): Promise<Claim | undefined> {
    const waiting = await this.source.query<{ run_id: string }[]>(
      `SELECT run_id FROM runs WHERE state = 'fitting' AND next_attempt_at_micros <= $1
       ORDER BY next_attempt_at_micros, requested_at_micros LIMIT 20`,
      [nowMicros()],
    );
    if (waiting.length === 0) return undefined;
    const session = this.source.createQueryRunner();
    await session.connect();
    let claim: Claim | undefined;
    try {
      for (const { run_id: runId } of waiting) {
        claim = await this.tryToTake(session, runId);
        if (claim) return claim;
      }
      return undefined;
    } finally {
      if (!claim) await session.release();
    }
  }

  private async tryToTake(session: QueryRunner, runId: string): Promise<Claim | undefined> {
    const [lock] = (await session.query(`SELECT pg_try_advisory_lock(${LOCK}) AS taken`, [runId])) as {
      taken: boolean;
    }[];
    if (lock?.taken !== true) return undefined;
    const token = randomUUID();
    await session.query(`UPDATE runs SET claim = $2 WHERE run_id = $1 AND state = 'fitting'`, [runId, token]);
    const claim = new Claim(session, runId, token);
    if (await claim.beat()) return claim;
    await session.query(`SELECT pg_advisory_unlock(${LOCK})`, [runId]);
    return undefined;
  }

  /** Runs whose files may still be needed. */
  async unfinished(): Promise<string[]> {
    const rows = await this.source.query<{ run_id: string }[]>(`SELECT run_id FROM runs WHERE state = 'fitting'`);
    return rows.map((row) => row.run_id);
  }

  /** The newest word of the trainer, for people. */
  async note(runId: string, message: string): Promise<void> {
    await this.source.query(
      `UPDATE run_steps SET message = $2 WHERE run_id = $1 AND name = 'fit' AND state = 'running'`,
      [runId, message],
    );
  }
}
