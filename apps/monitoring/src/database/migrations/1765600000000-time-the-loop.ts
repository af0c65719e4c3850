import type { MigrationInterface, QueryRunner } from 'typeorm';

/** When the steps of each loop were taken. Wall clock, unless said otherwise; null: before this was kept. */
export class TimeTheLoop1765600000000 implements MigrationInterface {
  readonly name = 'TimeTheLoop1765600000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      -- event time: start of the first window that crossed, end of the one that decided
      ALTER TABLE decisions ADD COLUMN began bigint, ADD COLUMN decided bigint;
      ALTER TABLE retraining_requests ADD COLUMN signal_event_id text;
      ALTER TABLE training_runs ADD COLUMN requested_at bigint, ADD COLUMN registered_at bigint;
      CREATE TABLE version_changes (
        event_id text PRIMARY KEY,
        model text NOT NULL,
        version bigint NOT NULL,
        endpoint text NOT NULL,
        -- deployed, promoted, rolled_back, aborted
        change text NOT NULL,
        changed_at bigint NOT NULL
      );
      CREATE INDEX version_changes_model ON version_changes (model, changed_at);
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TABLE version_changes;
      ALTER TABLE training_runs DROP COLUMN requested_at, DROP COLUMN registered_at;
      ALTER TABLE retraining_requests DROP COLUMN signal_event_id;
      ALTER TABLE decisions DROP COLUMN began, DROP COLUMN decided`);
  }
}
