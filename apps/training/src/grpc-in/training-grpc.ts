import { DomainError } from '@headrace/contracts';
import {
  TrainingServiceService,
  type CancelRunRequest,
  type CancelRunResponse,
  type ListRunsRequest,
  type ListRunsResponse,
  type StartTrainingRequest,
  type StartTrainingResponse,
  type TrainingRun,
  type TrainingServiceServer,
} from '@headrace/contracts/proto/training/v1/training_service';
import { grpcService, type CallContext, type GrpcService, type UnaryMethods } from '@headrace/grpc';
import { Injectable } from '@nestjs/common';
import { RunsRepository, type RunWithSteps } from '../database/runs.repository';
import { CancelRun } from '../use-cases/cancel-run';
import { StartTraining } from '../use-cases/start-training';

@Injectable()
export class TrainingGrpc implements UnaryMethods<TrainingServiceServer> {
  constructor(
    private readonly start: StartTraining,
    private readonly cancel: CancelRun,
    private readonly runs: RunsRepository,
  ) {}

  asService(): GrpcService {
    return grpcService<TrainingServiceServer>(TrainingServiceService, this, {
      startTraining: ['data-scientist', 'operator'],
      listRuns: 'authenticated',
      cancelRun: ['data-scientist', 'operator'],
    });
  }

  startTraining(request: StartTrainingRequest, context: CallContext): Promise<StartTrainingResponse> {
    return this.start.run(request, subjectOf(context));
  }

  async listRuns({ plan }: ListRunsRequest): Promise<ListRunsResponse> {
    return { runs: (await this.runs.list(plan === '' ? undefined : plan)).map(runMessage) };
  }

  async cancelRun({ runId }: CancelRunRequest, context: CallContext): Promise<CancelRunResponse> {
    await this.cancel.run(runId, subjectOf(context));
    return {};
  }
}

function subjectOf(context: CallContext): string {
  if (!context.caller) throw new DomainError('forbidden', 'unauthenticated', 'a caller is needed');
  return context.caller.subject;
}

function runMessage({ run, steps }: RunWithSteps): TrainingRun {
  return {
    runId: run.runId,
    plan: run.plan,
    trigger: run.trigger,
    reason: run.reason,
    state: run.state,
    steps: steps.map((step) => ({
      name: step.name,
      state: step.state,
      startedAtMicros: step.startedAtMicros ?? 0,
      finishedAtMicros: step.finishedAtMicros ?? 0,
      attempts: step.attempts,
      message: step.message,
    })),
    requestedAtMicros: run.requestedAtMicros,
    finishedAtMicros: run.finishedAtMicros ?? 0,
    error: run.error === '' ? '' : `${run.errorCode}: ${run.error}`,
  };
}
