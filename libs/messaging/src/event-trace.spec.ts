import { installSpanRecorder, spanIdOf, traceIdOf, type SpanStart } from '@headrace/tracing';
import { traceEvent, traceSent } from './event-trace';
import { HeaderBlock } from './record-bytes';

const TRACE = 'a'.repeat(32);
const UPSTREAM = `00-${TRACE}-00000000000000aa-01`;
const TYPE = 'headrace.training.v1.ModelTrained';
const own = { id: 'e2', service: 'training' };
const causedBy = (traceparent?: string) => ({
  eventId: 'e1',
  correlationId: 'c1',
  ...(traceparent === undefined ? {} : { traceparent }),
});

describe('the place of an event in a trace', () => {
  it("continues its cause's trace", () => {
    expect(traceIdOf(traceEvent(TYPE, { ...own, cause: causedBy(UPSTREAM) }))).toBe(TRACE);
  });

  it('continues another context when it is told one, and begins a trace when it is told none', () => {
    const cause = causedBy(`00-${'b'.repeat(32)}-00000000000000bb-01`);
    expect(traceIdOf(traceEvent(TYPE, { ...own, cause, trace: UPSTREAM }))).toBe(TRACE);
    expect(traceEvent(TYPE, { ...own, cause, trace: null })).not.toContain('b'.repeat(32));
  });

  it.each([null, causedBy(), causedBy('nonsense')])('begins a trace without one to continue (%p)', (cause) => {
    expect(traceEvent(TYPE, { ...own, cause })).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  });

  describe('while spans are recorded', () => {
    const spans: (SpanStart & { name: string })[] = [];

    beforeEach(() => {
      spans.length = 0;
      installSpanRecorder({
        start: (name, start) => {
          spans.push({ name, ...start });
          return { traceparent: UPSTREAM, run: (work) => work(), end: () => undefined };
        },
        current: () => undefined,
      });
    });

    afterEach(() => installSpanRecorder(undefined));

    it("lies below the span of its cause, although that one's id alone was kept", () => {
      // What a service stores of a cause may have been copied from the cause's own cause: the same trace, another span.
      traceEvent(TYPE, { ...own, cause: causedBy(UPSTREAM) });
      const [span] = spans;
      installSpanRecorder(undefined);
      const spanOfCause = traceEvent(TYPE, { id: 'e1', service: 'x', cause: null, trace: UPSTREAM });
      expect(span).toMatchObject({ name: 'create ModelTrained', kind: 'producer', eventId: 'e2', parent: spanOfCause });
    });

    it('lies below the call that handles its cause, and only of that cause', () => {
      const call = `00-${TRACE}-00000000000000cc-01`;
      traceEvent(TYPE, { ...own, cause: causedBy(UPSTREAM), handled: { eventId: 'e1', traceparent: call } });
      traceEvent(TYPE, { ...own, cause: causedBy(UPSTREAM), handled: { eventId: 'e0', traceparent: call } });
      expect(spans[0]?.parent).toBe(call);
      expect(spanIdOf(spans[1]?.parent ?? '')).not.toBe('00000000000000cc');
    });

    it('lies below a foreign context as it is', () => {
      traceEvent(TYPE, { ...own, cause: causedBy(), trace: UPSTREAM });
      expect(spans[0]?.parent).toBe(UPSTREAM);
    });

    it('shows how long the outbox held it, and says nothing of dead letters', () => {
      const headers = HeaderBlock.of({
        traceparent: UPSTREAM,
        ce_time: '2026-01-02T03:04:05.678000Z',
        ce_type: TYPE,
      });
      const sent = { topic: 'training.v1', key: null, value: null, headers, numbered: true };
      traceSent(sent);
      traceSent({ ...sent, topic: 'training.v1.x.dlq', numbered: false });
      expect(spans).toHaveLength(1);
      expect(spans[0]).toMatchObject({
        name: 'send ModelTrained',
        parent: UPSTREAM,
        startMs: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
      });
    });
  });
});
