import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Gates of versions that wait for their replay. */
export class WaitingReplays1764500000000 implements MigrationInterface {
  readonly name = 'WaitingReplays1764500000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE waiting_replays (
        model text NOT NULL,
        version bigint NOT NULL,
        gate text NOT NULL,
        -- The gate as it was declared when the version was registered, and the content hash of that Model.
        declared jsonb NOT NULL,
        definition_version text NOT NULL,
        -- Wall clock: then it is decided without an answer.
        deadline_micros bigint NOT NULL,
        -- ReplayRequested
        cause jsonb NOT NULL,
        PRIMARY KEY (model, version, gate)
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE waiting_replays');
  }
}
