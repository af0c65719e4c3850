import { canonicalJson } from '@headrace/definitions';
import type { Transaction } from '@headrace/messaging';

export interface RequestedJob {
  readonly model: string;
  readonly version: number;
  /** It was asked in the same words. */
  readonly same: boolean;
}

/** The job that this id was given to before. `asked`: what is asked now. For the holder of the decision lock. */
export async function requestedBefore(
  transaction: Transaction,
  jobId: string,
  asked: Readonly<Record<string, unknown>>,
): Promise<RequestedJob | undefined> {
  const [row] = await transaction.query<{ request: unknown; model: string; version: string }>(
    'SELECT request, model, version FROM requested_jobs WHERE job_id = $1',
    [jobId],
  );
  if (!row) return undefined;
  return {
    model: row.model,
    version: Number(row.version),
    same: canonicalJson(row.request) === canonicalJson(asked),
  };
}

export async function keepRequest(
  transaction: Transaction,
  job: {
    readonly jobId: string;
    readonly kind: 'scoring';
    readonly asked: Readonly<Record<string, unknown>>;
    readonly model: string;
    readonly version: number;
    readonly eventId: string;
  },
): Promise<void> {
  const { jobId, kind, asked, model, version, eventId } = job;
  await transaction.query(
    `INSERT INTO requested_jobs (job_id, kind, request, model, version, event_id) VALUES ($1, $2, $3, $4, $5, $6)`,
    [jobId, kind, JSON.stringify(asked), model, version, eventId],
  );
}
