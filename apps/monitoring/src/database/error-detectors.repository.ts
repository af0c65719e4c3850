import type { DetectorState, ErrorDetector } from '../domain/concept-evidence';
import type { Queries } from './sql';

/** Where the detectors of a monitor stand, for this version and these declarations; others begin anew. */
export async function readDetectors(
  queries: Queries,
  monitor: string,
  version: number,
  detectors: readonly ErrorDetector[],
): Promise<ReadonlyMap<string, DetectorState>> {
  const rows = await queries.query<{ detector: string; declared: string; state: DetectorState }>(
    'SELECT detector, declared, state FROM error_detectors WHERE monitor = $1 AND version = $2',
    [monitor, version],
  );
  const declared = new Map(detectors.map((one) => [one.detector as string, JSON.stringify(one)]));
  return new Map(
    rows.filter((row) => declared.get(row.detector) === row.declared).map((row) => [row.detector, row.state]),
  );
}

export async function saveDetectors(
  queries: Queries,
  monitor: string,
  version: number,
  detectors: readonly ErrorDetector[],
  states: ReadonlyMap<string, DetectorState>,
): Promise<void> {
  await queries.query(
    `INSERT INTO error_detectors (monitor, detector, version, declared, state)
     SELECT $1, detector, $2, declared, state::jsonb
       FROM unnest($3::text[], $4::text[], $5::text[]) AS standing (detector, declared, state)
     ON CONFLICT (monitor, detector) DO UPDATE
        SET version = excluded.version, declared = excluded.declared, state = excluded.state`,
    [
      monitor,
      version,
      detectors.map((one) => one.detector),
      detectors.map((one) => JSON.stringify(one)),
      detectors.map((one) => JSON.stringify(states.get(one.detector) ?? null)),
    ],
  );
}
