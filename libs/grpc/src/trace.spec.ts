import { Metadata } from '@grpc/grpc-js';
import {
  FeatureServiceClient,
  FeatureServiceService,
  type FeatureServiceServer,
} from '@headrace/contracts/proto/features/v1/features_service';
import { installSpanRecorder, type SpanRecorder, type SpanStart } from '@headrace/tracing';
import { TokenTable } from './access';
import { createClient, unary } from './client';
import { startGrpcServer } from './server';
import { grpcService, type CallContext } from './service';

const METHOD = FeatureServiceService.getOnlineFeatures.path;
const NAME = METHOD.slice(1);
const caller = (span: number): string => `00-${'a'.repeat(32)}-${String(span).padStart(16, '0')}-01`;

interface Noted extends SpanStart {
  readonly name: string;
  readonly traceparent: string;
  ended: boolean;
}

/** Gives spans numbers from 100 in the order of their start. */
function noteSpans(): Noted[] {
  const spans: Noted[] = [];
  const recorder: SpanRecorder = {
    start: (name, start) => {
      const span: Noted = { ...start, name, traceparent: caller(100 + spans.length), ended: false };
      spans.push(span);
      return {
        traceparent: span.traceparent,
        run: (work) => work(),
        end: () => void (span.ended = true),
      };
    },
    current: () => undefined,
  };
  installSpanRecorder(recorder);
  return spans;
}

describe('trace context over gRPC', () => {
  const running: { close(deadlineMs: number): Promise<void> }[] = [];

  afterEach(async () => {
    installSpanRecorder(undefined);
    await Promise.all(running.splice(0).map((server) => server.close(1_000)));
  });

  /** Notes the context of each call. */
  async function serve(): Promise<{ client: FeatureServiceClient; contexts: (string | undefined)[] }> {
    const contexts: (string | undefined)[] = [];
    const server = await startGrpcServer({
      host: '127.0.0.1',
      port: 0,
      services: [
        grpcService<FeatureServiceServer>(
          FeatureServiceService,
          {
            getOnlineFeatures: (_request, context: CallContext) => {
              contexts.push(context.traceparent());
              return Promise.resolve({ rows: [] });
            },
            checkServingSkew: () => Promise.reject(new Error('not here')),
            listScoringJobs: () => Promise.reject(new Error('not here')),
          },
          { getOnlineFeatures: 'public', checkServingSkew: 'public', listScoringJobs: 'public' },
        ),
      ],
      tokens: new TokenTable(),
      log: { error: () => undefined },
    });
    running.push(server);
    const client = createClient(FeatureServiceClient, { address: `127.0.0.1:${server.port}` });
    running.push({ close: () => Promise.resolve(client.close()) });
    return { client, contexts };
  }

  const ask = (client: FeatureServiceClient, contexts: readonly string[], metadata = new Metadata()) =>
    unary(
      client.getOnlineFeatures.bind(client),
      { features: [], rows: [], maxWaitMicros: 0 },
      { timeoutMs: 5_000, metadata, trace: { method: METHOD, contexts } },
    );

  it('goes through unchanged while no spans are exported', async () => {
    const { client, contexts } = await serve();
    await ask(client, [caller(1), caller(2)]);
    await ask(client, []);
    expect(contexts).toEqual([caller(1), undefined]);
  });

  it('leaves metadata that are shared by calls as they are', async () => {
    const { client } = await serve();
    const shared = new Metadata();
    await ask(client, [caller(1)], shared);
    expect(shared.getMap()).toEqual({});
  });

  it('ignores what is not valid', async () => {
    const { client, contexts } = await serve();
    const metadata = new Metadata();
    metadata.set('traceparent', 'nonsense');
    await ask(client, [], metadata);
    expect(contexts).toEqual([undefined]);
  });

  it('records a span of the client below its request, and one of the server below that', async () => {
    const spans = noteSpans();
    const { client, contexts } = await serve();
    await ask(client, [caller(1), caller(2), caller(3)]);
    expect(spans).toMatchObject([
      { name: NAME, kind: 'client', parent: caller(1), links: [caller(2), caller(3)], ended: true },
      { name: NAME, kind: 'server', parent: spans[0]?.traceparent, ended: true },
    ]);
    expect(contexts).toEqual([spans[1]?.traceparent]);
  });
});
