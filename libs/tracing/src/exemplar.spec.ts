import { exemplarOf } from './exemplar';
import { installSpanRecorder } from './span-recorder';

const KEPT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const NOT_KEPT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00';

describe('an exemplar', () => {
  afterEach(() => installSpanRecorder(undefined));

  function recorded(): void {
    installSpanRecorder({
      start: () => ({ traceparent: KEPT, run: (work) => work(), end: () => undefined }),
      current: () => undefined,
    });
  }

  it('leads to the trace of what was observed, and further where there is room', () => {
    recorded();
    const trace = { trace_id: '0af7651916cd43dd8448eb211c80319c' };
    expect(exemplarOf(KEPT)).toEqual(trace);
    expect(exemplarOf(KEPT, { prediction_id: 'a-flight' })).toEqual({ ...trace, prediction_id: 'a-flight' });
    // 8 + 32 of the trace and 13 of the name leave 75.
    expect(exemplarOf(KEPT, { prediction_id: 'x'.repeat(75) })).toHaveProperty('prediction_id');
    expect(exemplarOf(KEPT, { prediction_id: 'x'.repeat(76) })).toEqual(trace);
  });

  it('is not there when nobody keeps the trace', () => {
    expect(exemplarOf(KEPT)).toBeUndefined();
    recorded();
    expect([NOT_KEPT, 'nonsense', undefined].map((traceparent) => exemplarOf(traceparent))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
});
