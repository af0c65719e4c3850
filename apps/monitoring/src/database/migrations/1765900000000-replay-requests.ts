import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Replays that gates of new versions wait for. */
export class ReplayRequests1765900000000 implements MigrationInterface {
  readonly name = 'ReplayRequests1765900000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE replay_requests (
        model text NOT NULL,
        version bigint NOT NULL,
        gate text NOT NULL,
        -- The ReplayRequested event, and its message.
        cause jsonb NOT NULL,
        request bytea NOT NULL,
        tries integer NOT NULL DEFAULT 0,
        -- Nobody looks at it before: pauses between tries, and the time that one try may take.
        next_try timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (model, version, gate)
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE replay_requests');
  }
}
