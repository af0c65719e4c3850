import type { MigrationInterface, QueryRunner } from 'typeorm';

/** When a person last acted on each model, and which requests for retraining the policy holds back. */
export class HoldRetrainingsBack1766100000000 implements MigrationInterface {
  readonly name = 'HoldRetrainingsBack1766100000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE person_actions (
        model text PRIMARY KEY,
        event_id text NOT NULL,
        action text NOT NULL,
        actor text NOT NULL,
        -- wall clock, microseconds
        acted_at bigint NOT NULL,
        -- the training that was asked for
        run_id text
      );
      CREATE TABLE retrainings_withheld (
        monitor text PRIMARY KEY,
        why text NOT NULL,
        signal_event_id text NOT NULL,
        -- end of the quiet hours; null: until a person acts
        until bigint
      );
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE retrainings_withheld, person_actions');
  }
}
