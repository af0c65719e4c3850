import type { Outcome, Transaction } from '@headrace/messaging';
import { Injectable } from '@nestjs/common';
import { joinPredictions, lockSources } from '../database/outcomes.repository';
import type { ServedEvent } from '../database/prediction-batches';
import { insertPredictions } from '../database/predictions.repository';
import { countPredictions } from '../database/progress.repository';
import { FLOAT8_BYTES, type ServedPrediction } from '../domain/served-prediction';
import { predictionsTotal } from '../monitoring-metrics';
import { WatchedMonitors } from '../watched-monitors';
import { countLate, noteJoined } from './note-joined';

/** Keeps the predictions that are new, and joins those whose labels came before them. */
@Injectable()
export class RecordPredictions {
  constructor(private readonly monitors: WatchedMonitors) {}

  async run(served: readonly ServedEvent[], transaction: Transaction): Promise<Outcome[]> {
    const outcomes = served.map((event) => judge(event.data));
    const sound = served.filter((_, index) => outcomes[index]?.kind === 'done');
    if (sound.length > 0) await this.record(sound, transaction);
    return outcomes;
  }

  private async record(served: readonly ServedEvent[], transaction: Transaction): Promise<void> {
    const fresh = await insertPredictions(transaction, served);
    if (fresh.length === 0) return;
    const judged = this.monitors.judgedOf(new Set(fresh.map((event) => event.data.endpoint)));
    await lockSources(
      transaction,
      judged.map((one) => one.source),
    );
    await countPredictions(transaction, fresh);
    for (const [endpoint, { answer, fallback }] of countsOf(fresh)) {
      if (answer > 0) predictionsTotal.inc({ endpoint, kind: 'answer' }, answer);
      if (fallback > 0) predictionsTotal.inc({ endpoint, kind: 'fallback' }, fallback);
    }
    await countLate(
      transaction,
      'drift',
      this.monitors.all(),
      fresh.map(({ data }) => ({ endpoint: data.endpoint, timeMicros: data.asOfMicros })),
    );
    if (judged.length === 0) return;
    const answered = fresh.map(({ data }) => data).filter((prediction) => !prediction.fallback);
    await noteJoined(transaction, await joinPredictions(transaction, answered, judged), this.monitors.all());
  }
}

/** By endpoint: a registry takes as long to add one as to add a thousand. */
function countsOf(served: readonly ServedEvent[]): ReadonlyMap<string, { answer: number; fallback: number }> {
  const counts = new Map<string, { answer: number; fallback: number }>();
  for (const { data } of served) {
    let count = counts.get(data.endpoint);
    if (!count) counts.set(data.endpoint, (count = { answer: 0, fallback: 0 }));
    count[data.fallback ? 'fallback' : 'answer'] += 1;
  }
  return counts;
}

function judge({ predictionId, endpoint, layout, features }: ServedPrediction): Outcome {
  const refuse = (message: string): Outcome => ({ kind: 'rejected', code: 'bad_prediction', message });
  if (predictionId === '' || endpoint === '') return refuse('prediction_id or endpoint is empty');
  const values = features.length / FLOAT8_BYTES;
  if (layout.names.length !== values) {
    return refuse(`feature_values: expected ${layout.names.length}, one for each of feature_names, got ${values}`);
  }
  return DONE;
}

const DONE: Outcome = { kind: 'done' };
