import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * How likely a window alarms without any change, which windows are to be judged again, and where the detectors on the errors
 * of each monitor stand.
 */
export class JudgeMoreSignals1765500000000 implements MigrationInterface {
  readonly name = 'JudgeMoreSignals1765500000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE windows ADD COLUMN false_alarms double precision,
        -- something of its time came after it was closed
        ADD COLUMN stale boolean NOT NULL DEFAULT false,
        ADD COLUMN revisions integer NOT NULL DEFAULT 0;
      CREATE INDEX windows_stale ON windows (monitor, version) WHERE stale;
      CREATE TABLE error_detectors (
        monitor text NOT NULL,
        detector text NOT NULL,
        version bigint NOT NULL,
        -- as the Monitor declares it: another declaration begins anew
        declared text NOT NULL,
        state jsonb NOT NULL,
        PRIMARY KEY (monitor, detector)
      );
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(
      'DROP TABLE error_detectors; ALTER TABLE windows DROP COLUMN false_alarms, DROP COLUMN stale, DROP COLUMN revisions',
    );
  }
}
