import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Identities are kept for a time, not for ever. Those that are there already count from today. */
export class DateSeenEvents1765000000010 implements MigrationInterface {
  readonly name = 'DateSeenEvents1765000000010';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE seen_events ADD seen_at timestamptz NOT NULL DEFAULT now()');
    // Rows are appended in the order of their time: an index of a few pages finds the old ones.
    await runner.query('CREATE INDEX seen_events_age ON seen_events USING brin (seen_at)');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE seen_events DROP seen_at');
  }
}
