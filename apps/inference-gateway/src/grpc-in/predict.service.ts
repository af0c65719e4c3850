// Prediction by entity over gRPC.
import { performance } from 'node:perf_hooks';
import { status } from '@grpc/grpc-js';
import { InferenceService, type InferenceServer } from '@headrace/contracts/proto/inference/v1/inference_service';
import { grpcService, statusOf, type Access, type GrpcService } from '@headrace/grpc';
import { exemplarOf } from '@headrace/tracing';
import type { GatewayMetrics } from '../gateway-metrics';
import type { ServingTable } from '../serving/serving-table';
import type { AnswerPrediction } from '../use-cases/answer-prediction';
import type { CallerThrottle } from './caller-throttle';

export function predictService(
  answerPrediction: AnswerPrediction,
  table: ServingTable,
  metrics: GatewayMetrics,
  access: Access,
  throttle: CallerThrottle,
): GrpcService {
  const service = grpcService<InferenceServer>(
    InferenceService,
    {
      async predict(request, context) {
        const startedAt = performance.now();
        const traceparent = context.traceparent();
        const observe = (code: status, version: string, predictionId?: string): void => {
          const endpoint = table.wanted(request.endpoint) ? request.endpoint : 'unknown';
          const seconds = (performance.now() - startedAt) / 1_000;
          // The id is what `headrace why` asks for.
          const exemplar = exemplarOf(traceparent, predictionId === undefined ? {} : { prediction_id: predictionId });
          metrics.meter('predict', endpoint, version).observe(code, seconds, exemplar);
        };
        try {
          const { response, version } = await answerPrediction.answer(request, context.remainingMs(), traceparent);
          observe(status.OK, version ? String(version.number) : '', response.predictionId);
          return response;
        } catch (error) {
          observe(statusOf(error).code, '');
          throttle.failed(error, () => context.peer());
          throw error;
        }
      },
    },
    { predict: access },
  );
  return { ...service, admission: { predict: throttle.admission('predict') } };
}
