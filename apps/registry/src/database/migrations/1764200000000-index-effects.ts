import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What an event caused is looked up by its cause. */
export class IndexEffects1764200000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('CREATE INDEX event_index_causation ON event_index (causation_id)');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX event_index_causation');
  }
}
