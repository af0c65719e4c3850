import type { DatasetVersionCommitted } from '@headrace/contracts/proto/ingestion/v1/ingestion_events';
import type { AliasChanged } from '@headrace/contracts/proto/registry/v1/registry_events';
import type { Outcome, ReceivedEvent, Transaction } from '@headrace/messaging';
import { Injectable } from '@nestjs/common';
import { InputsRepository } from '../database/inputs.repository';
import { AdvancePlan } from './advance-plan';
import { takeRunLock } from './run-lock';
import { causeOf } from './take-features';

/** Dataset versions and champions become known. */
@Injectable()
export class NoteInputs {
  constructor(
    private readonly inputs: InputsRepository,
    private readonly advancePlan: AdvancePlan,
  ) {}

  async datasetVersion(event: ReceivedEvent<DatasetVersionCommitted>, transaction: Transaction): Promise<Outcome> {
    const { dataset, rows, maxEventTimeMicros, maxKnownTimeMicros } = event.data;
    if (!dataset || dataset.stream === '' || dataset.version < 1) {
      return { kind: 'rejected', code: 'no_dataset', message: 'dataset: a stream and a version from 1 are needed' };
    }
    await takeRunLock(transaction);
    const { stream, version, manifestDigest } = dataset;
    const known = { stream, version, manifestDigest, rows, maxEventTimeMicros, maxKnownTimeMicros };
    await this.inputs.addDatasetVersion(transaction, { ...known, event: causeOf(event) });
    for (const plan of this.advancePlan.plansOn(stream)) await this.advancePlan.run(transaction, plan);
    return { kind: 'done' };
  }

  async alias(event: ReceivedEvent<AliasChanged>, transaction: Transaction): Promise<Outcome> {
    const { model, alias, version, modelArtifact, features } = event.data;
    if (alias !== 'champion') return { kind: 'done' };
    const champion = version > 0 && modelArtifact ? { version, digest: modelArtifact.digest, features } : undefined;
    await this.inputs.setChampion(transaction, model, champion);
    return { kind: 'done' };
  }
}
