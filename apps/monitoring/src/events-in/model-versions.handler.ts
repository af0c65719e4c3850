import { events } from '@headrace/contracts';
import type { ModelVersionRegistered } from '@headrace/contracts/proto/registry/v1/registry_events';
import type { ModelTrained } from '@headrace/contracts/proto/training/v1/training_events';
import { OnEvent, type ReceivedEvent, type Transaction } from '@headrace/messaging';
import { Controller } from '@nestjs/common';
import { saveNumber, saveTraining } from '../database/model-versions.repository';

/** A group of its own: it reads from the beginning, also where monitoring has read on for long. */
const OPTIONS = { deadLetter: 'reorder-safe', group: 'monitoring-model-versions' } as const;

/** What each version of each model is run by. */
@Controller()
export class ModelVersionsHandler {
  @OnEvent(events.ModelTrained, OPTIONS)
  async onTrained({ data }: ReceivedEvent<ModelTrained>, transaction: Transaction): Promise<void> {
    await saveTraining(transaction, data);
  }

  @OnEvent(events.ModelVersionRegistered, OPTIONS)
  async onRegistered({ data }: ReceivedEvent<ModelVersionRegistered>, transaction: Transaction): Promise<void> {
    await saveNumber(transaction, data.runId, data.model, data.version);
  }
}
