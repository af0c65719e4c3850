import type { Client } from 'pg';

export interface Comparison {
  readonly same: boolean;
  /** Events that the living group has handled and the replay has not; negative: the other way round. */
  readonly liveAhead: number;
  readonly tables: readonly {
    readonly name: string;
    readonly live: number;
    readonly replayed: number;
    readonly same: boolean;
  }[];
}

interface Fingerprint {
  readonly rows: number;
  /** Sum of the rows' hashes: the order of rows does not matter. */
  readonly sum: string;
}

/**
 * Compares what two schemas hold, each in one snapshot. A living service goes on: while `liveAhead` is not 0 a difference
 * may be no more than that.
 */
export async function compareSchemas(
  client: Client,
  live: string,
  replayed: string,
  group: string,
  projection: Readonly<Record<string, string>>,
): Promise<Comparison> {
  const inLife = await stateOf(client, live, group, projection);
  const again = await stateOf(client, replayed, group, projection);
  const tables = Object.keys(projection).map((name) => {
    const a = inLife.tables.get(name);
    const b = again.tables.get(name);
    return { name, live: a?.rows ?? 0, replayed: b?.rows ?? 0, same: a?.rows === b?.rows && a?.sum === b?.sum };
  });
  const places = new Set([...inLife.positions.keys(), ...again.positions.keys()]);
  const liveAhead = [...places].reduce(
    // What only one of them reads (the redrive topic) is no progress on the same log.
    (sum, place) =>
      sum + (inLife.positions.get(place) ?? 0) - (again.positions.get(place) ?? inLife.positions.get(place) ?? 0),
    0,
  );
  return { same: tables.every((table) => table.same), liveAhead, tables };
}

async function stateOf(
  client: Client,
  schema: string,
  group: string,
  projection: Readonly<Record<string, string>>,
): Promise<{ readonly positions: Map<string, number>; readonly tables: Map<string, Fingerprint> }> {
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  try {
    await client.query(`SELECT set_config('search_path', $1, true)`, [`"${schema}"`]);
    const found = await client.query<{ place: string; next: number }>(
      `SELECT topic || '/' || partition AS place, next_offset::float8 AS next FROM consumer_positions
        WHERE consumer_group = $1`,
      [group],
    );
    const tables = new Map<string, Fingerprint>();
    for (const [name, query] of Object.entries(projection)) {
      const counted = await client.query<Fingerprint>(
        `SELECT count(*)::float8 AS rows, coalesce(sum(hashtextextended(r::text, 0)::numeric), 0)::text AS sum
           FROM (${query}) AS r`,
      );
      const [fingerprint] = counted.rows;
      if (fingerprint) tables.set(name, fingerprint);
    }
    return { positions: new Map(found.rows.map(({ place, next }) => [place, next])), tables };
  } finally {
    await client.query('ROLLBACK');
  }
}
