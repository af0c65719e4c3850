import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Online reads follow what each partition brings: they must know how far its records have come, watermark or not. */
export class FollowTheTail1765000000004 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // Null: records have come, no watermark yet.
    await runner.query('ALTER TABLE stream_progress ALTER watermark DROP NOT NULL');
    await runner.query('ALTER TABLE stream_progress ADD last_offset bigint NOT NULL DEFAULT -1');
    await runner.query(`
      INSERT INTO stream_progress (stream, partition, last_offset)
      SELECT v.stream, r.partition, max(r."offset")
        FROM feature_records r JOIN view_versions v ON v.id = r.view_id
       GROUP BY v.stream, r.partition
      ON CONFLICT (stream, partition) DO UPDATE SET last_offset = excluded.last_offset`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DELETE FROM stream_progress WHERE watermark IS NULL');
    await runner.query('ALTER TABLE stream_progress DROP last_offset');
    await runner.query('ALTER TABLE stream_progress ALTER watermark SET NOT NULL');
  }
}
