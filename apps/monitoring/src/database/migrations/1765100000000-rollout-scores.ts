import type { MigrationInterface, QueryRunner } from 'typeorm';

/** How the versions of a rollout fare, by what gateways report; and what was said about that already. */
export class RolloutScores1765100000000 implements MigrationInterface {
  readonly name = 'RolloutScores1765100000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE rollout_scores (
        rollout_id text NOT NULL,
        version bigint NOT NULL,
        asked bigint NOT NULL,
        failed bigint NOT NULL,
        last_error text NOT NULL DEFAULT '',
        -- wall clock of the newest report
        reported bigint NOT NULL,
        PRIMARY KEY (rollout_id, version)
      );
      CREATE TABLE rollout_checks (
        rollout_id text PRIMARY KEY,
        rolled_back boolean NOT NULL DEFAULT false,
        inconclusive_step integer NOT NULL DEFAULT -1
      );
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE rollout_checks, rollout_scores');
  }
}
