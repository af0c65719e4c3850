import type {
  CheckServingSkewRequest,
  CheckServingSkewResponse,
  FeatureServiceServer,
  GetOnlineFeaturesRequest,
  GetOnlineFeaturesResponse,
  ListScoringJobsRequest,
  ListScoringJobsResponse,
} from '@headrace/contracts/proto/features/v1/features_service';
import type { CallContext, UnaryMethods } from '@headrace/grpc';
import { SETTINGS } from '@headrace/service-kit';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { listScoring } from '../database/scoring-jobs.repository';
import { onlineSeconds } from '../feature-store-metrics';
import type { FeatureStoreSettings } from '../feature-store.config';
import { CheckServingSkew } from '../use-cases/check-serving-skew';
import { ReadOnlineFeatures } from '../use-cases/read-online-features';

/** Kept of the caller's deadline for reading and answering. */
const MARGIN_MS = 50;
const LISTED_JOBS = 100;

@Injectable()
export class FeaturesGrpc implements UnaryMethods<FeatureServiceServer> {
  constructor(
    @Inject(SETTINGS) private readonly settings: FeatureStoreSettings,
    private readonly readOnlineFeatures: ReadOnlineFeatures,
    private readonly checkSkew: CheckServingSkew,
    private readonly source: DataSource,
  ) {}

  async getOnlineFeatures(request: GetOnlineFeaturesRequest, context: CallContext): Promise<GetOnlineFeaturesResponse> {
    const stopTimer = onlineSeconds.startTimer();
    const asked = request.maxWaitMicros === 0 ? this.settings.ONLINE_MAX_WAIT_MS : request.maxWaitMicros / 1_000;
    const maxWaitMs = Math.min(asked, context.remainingMs() - MARGIN_MS);
    const rows = await this.readOnlineFeatures.run(request.features, request.rows, maxWaitMs);
    stopTimer();
    return { rows };
  }

  checkServingSkew(request: CheckServingSkewRequest): Promise<CheckServingSkewResponse> {
    return this.checkSkew.run(request.endpoint);
  }

  async listScoringJobs({ jobId }: ListScoringJobsRequest): Promise<ListScoringJobsResponse> {
    const jobs = await listScoring(this.source, jobId, LISTED_JOBS);
    return {
      jobs: jobs.map(({ request, inputs, manifest, ...job }) => ({
        jobId: request.jobId,
        model: request.model,
        version: request.version,
        endpoint: request.endpoint,
        stream: request.stream,
        datasetVersion: inputs?.dataset.version ?? request.datasetVersion,
        requestedBy: request.requestedBy,
        ...job,
        manifest: manifest ?? undefined,
        requestedAtMicros: Math.round(job.requestedAtMicros),
        finishedAtMicros: Math.round(job.finishedAtMicros),
      })),
    };
  }
}
