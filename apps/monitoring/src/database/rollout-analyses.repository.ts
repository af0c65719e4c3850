import type { AnalysisState } from '../domain/rollout-analysis';
import { microsOrNull, type Queries } from './sql';

export interface RolloutAnalysis {
  readonly rolloutId: string;
  readonly endpoint: string;
  readonly state: AnalysisState;
  /** The last step about which a verdict was given; −1: none. */
  readonly decidedStep: number;
}

export async function readAnalysis(queries: Queries, rolloutId: string): Promise<RolloutAnalysis | undefined> {
  const [row] = await queries.query<{
    endpoint: string;
    start: number;
    analysed_to: number | null;
    gathered_pairs: number;
    gathered_total: number;
    means: number[];
    pairs: number;
    decided_step: number;
  }>(
    `SELECT endpoint, start_time::float8 AS start, analysed_to::float8 AS analysed_to, gathered_pairs, gathered_total,
        means, pairs, decided_step
       FROM rollout_analyses WHERE rollout_id = $1`,
    [rolloutId],
  );
  if (!row) return undefined;
  return {
    rolloutId,
    endpoint: row.endpoint,
    state: {
      startMicros: row.start,
      analysedToMicros: row.analysed_to ?? -Infinity,
      gathering: { pairs: row.gathered_pairs, total: row.gathered_total },
      means: row.means,
      pairs: row.pairs,
    },
    decidedStep: row.decided_step,
  };
}

export async function saveAnalysis(queries: Queries, analysis: RolloutAnalysis): Promise<void> {
  const { state } = analysis;
  await queries.query(
    `INSERT INTO rollout_analyses (rollout_id, endpoint, start_time, analysed_to, gathered_pairs, gathered_total, means,
        pairs, decided_step)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
     ON CONFLICT (rollout_id) DO UPDATE
        SET start_time = excluded.start_time, analysed_to = excluded.analysed_to,
            gathered_pairs = excluded.gathered_pairs, gathered_total = excluded.gathered_total, means = excluded.means,
            pairs = excluded.pairs, decided_step = excluded.decided_step`,
    [
      analysis.rolloutId,
      analysis.endpoint,
      state.startMicros,
      microsOrNull(state.analysedToMicros),
      state.gathering.pairs,
      state.gathering.total,
      state.means,
      state.pairs,
      analysis.decidedStep,
    ],
  );
}
