import type { PredictionServed } from '@headrace/contracts/proto/inference/v1/inference_events';
import type { Outcome, Transaction } from '@headrace/messaging';
import { Injectable } from '@nestjs/common';
import { joinPredictions, lockSources } from '../database/outcomes.repository';
import { insertPredictions, type ServedEvent } from '../database/predictions.repository';
import { countPredictions } from '../database/progress.repository';
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
    const freshIds = await insertPredictions(transaction, served);
    const fresh = served.filter((event) => freshIds.delete(event.data.predictionId));
    if (fresh.length === 0) return;
    const judged = this.monitors.judgedOf(new Set(fresh.map((event) => event.data.endpoint)));
    await lockSources(
      transaction,
      judged.map((one) => one.source),
    );
    await countPredictions(transaction, fresh);
    for (const { data } of fresh) {
      predictionsTotal.inc({ endpoint: data.endpoint, kind: data.fallback ? 'fallback' : 'answer' });
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

function judge(prediction: PredictionServed): Outcome {
  const refuse = (message: string): Outcome => ({ kind: 'rejected', code: 'bad_prediction', message });
  if (prediction.predictionId === '' || prediction.endpoint === '') return refuse('prediction_id or endpoint is empty');
  if (prediction.featureNames.length !== prediction.featureValues.length) {
    return refuse(
      `feature_values: expected ${prediction.featureNames.length}, one for each of feature_names, got ${prediction.featureValues.length}`,
    );
  }
  return { kind: 'done' };
}
