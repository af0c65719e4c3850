import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Rollouts know their strategy and the stages it is made of; those in progress are canaries without pauses. */
export class RolloutStages1764300000000 implements MigrationInterface {
  readonly name = 'RolloutStages1764300000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE rollouts
        ADD strategy text NOT NULL DEFAULT 'canary'
          CHECK (strategy IN ('canary', 'blue-green', 'shadow', 'ab', 'champion-challenger')),
        ADD stages jsonb NOT NULL DEFAULT '[]',
        ADD unit text NOT NULL DEFAULT '',
        ADD step_started_at_micros bigint NOT NULL DEFAULT 0,
        ADD passed boolean NOT NULL DEFAULT false,
        ADD confirmed boolean NOT NULL DEFAULT false;
      UPDATE rollouts SET
        step_started_at_micros = started_at_micros,
        stages = (SELECT jsonb_agg(jsonb_build_object('weight', weight, 'ends', 'verdict', 'atLeastMicros', 0,
            'confirm', false) ORDER BY place)
          FROM jsonb_array_elements(weights) WITH ORDINALITY AS declared (weight, place));
      ALTER TABLE rollouts
        DROP weights, ALTER strategy DROP DEFAULT, ALTER stages DROP DEFAULT, ALTER unit DROP DEFAULT,
        ALTER step_started_at_micros DROP DEFAULT;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE rollouts ADD weights jsonb NOT NULL DEFAULT '[]';
      UPDATE rollouts SET weights = (SELECT jsonb_agg(stage -> 'weight' ORDER BY place)
        FROM jsonb_array_elements(stages) WITH ORDINALITY AS declared (stage, place));
      ALTER TABLE rollouts ALTER weights DROP DEFAULT, DROP strategy, DROP stages, DROP unit,
        DROP step_started_at_micros, DROP passed, DROP confirmed;
    `);
  }
}
