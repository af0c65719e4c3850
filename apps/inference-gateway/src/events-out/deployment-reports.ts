import { randomUUID } from 'node:crypto';
import { events } from '@headrace/contracts';
import type { DeploymentActivated, ModelLoadFailed } from '@headrace/contracts/proto/inference/v1/inference_events';
import type { Cause } from '@headrace/messaging';
import type { Outgoing } from './event-buffer';

export function deploymentActivated(data: DeploymentActivated, cause: Cause): Outgoing<DeploymentActivated> {
  return { definition: events.DeploymentActivated, data, id: randomUUID(), cause };
}

export function modelLoadFailed(data: ModelLoadFailed, cause: Cause): Outgoing<ModelLoadFailed> {
  return { definition: events.ModelLoadFailed, data, id: randomUUID(), cause };
}
