import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Online reads ask for what became known since they last asked, and must hear when something came late. */
export class FinalRecords1765000000001 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('CREATE INDEX feature_records_known ON feature_records (view_id, entity, known_time)');
    await runner.query('DROP INDEX feature_records_window');
    // How often records came whose known time the watermark had passed (a redrive): what was read before is not final.
    await runner.query('ALTER TABLE stream_progress ADD corrections bigint NOT NULL DEFAULT 0');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE stream_progress DROP corrections');
    await runner.query('CREATE INDEX feature_records_window ON feature_records (view_id, entity, event_time)');
    await runner.query('DROP INDEX feature_records_known');
  }
}
