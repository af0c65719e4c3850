import { status } from '@grpc/grpc-js';
import {
  FeatureServiceClient,
  FeatureServiceService,
  type GetOnlineFeaturesRequest,
  type GetOnlineFeaturesResponse,
} from '@headrace/contracts/proto/features/v1/features_service';
import { authorization, createClient, isServiceError, isUnavailable, unary } from '@headrace/grpc';
import { circuitBreaker, ConsecutiveBreaker, handleWhen, isBrokenCircuitError, type IPolicy } from 'cockatiel';
import { Seldom } from '../seldom';
import type { FeatureStorePort, FetchFailure } from './feature-fetcher';

const METHOD = FeatureServiceService.getOnlineFeatures.path;
/** Failed calls in a row that open the circuit: from then on nobody waits for the feature store … */
const FAILURES = 5;
/** … until one call may try it again. */
const HALF_OPEN_AFTER_MS = 500;

export class FeatureStoreClient implements FeatureStorePort {
  private readonly client: FeatureServiceClient;
  private readonly metadata: ReturnType<typeof authorization>;
  private readonly breaker: IPolicy;

  constructor(options: {
    readonly address: string;
    readonly token: string | undefined;
    onCircuit(open: boolean): void;
    onFault(error: unknown, notTold: number): void;
  }) {
    const { address, token } = options;
    this.client = createClient(FeatureServiceClient, { address, ...(token === undefined ? {} : { token }) });
    this.metadata = authorization(token);
    const breaker = circuitBreaker(handleWhen(isUnavailable), {
      halfOpenAfter: HALF_OPEN_AFTER_MS,
      breaker: new ConsecutiveBreaker(FAILURES),
    });
    breaker.onBreak(() => options.onCircuit(true));
    breaker.onReset(() => options.onCircuit(false));
    this.breaker = breaker;
    this.onFault = options.onFault;
  }

  private readonly onFault: (error: unknown, notTold: number) => void;
  private readonly faults = new Seldom();

  async fetch(
    request: GetOnlineFeaturesRequest,
    timeoutMs: number,
    traces: readonly string[] = [],
  ): Promise<{ kind: 'answer'; response: GetOnlineFeaturesResponse } | FetchFailure> {
    try {
      const response = await this.breaker.execute(() =>
        unary<GetOnlineFeaturesRequest, GetOnlineFeaturesResponse>(
          this.client.getOnlineFeatures.bind(this.client),
          request,
          { timeoutMs, metadata: this.metadata, trace: { method: METHOD, contexts: traces } },
        ),
      );
      return { kind: 'answer', response };
    } catch (error) {
      return this.failureOf(error);
    }
  }

  close(): void {
    this.client.close();
  }

  private failureOf(error: unknown): FetchFailure {
    if (isBrokenCircuitError(error)) return { kind: 'away', message: 'the circuit to the feature store is open' };
    const message = error instanceof Error ? error.message : String(error);
    if (isServiceError(error)) {
      if (error.code === status.DEADLINE_EXCEEDED) return { kind: 'late' };
      // A fault of a row is the caller's. Features that the store does not know (yet) are not.
      if (error.code === status.INVALID_ARGUMENT && error.details.startsWith('rows.')) {
        return { kind: 'refused', message: error.details };
      }
      if (error.code === status.UNAVAILABLE) return { kind: 'away', message };
    }
    this.faults.tell((notTold) => this.onFault(error, notTold));
    return { kind: 'away', message };
  }
}
