import type { IncomingMessage, ServerResponse } from 'node:http';
import { isTraceparent, spanRecorder } from '@headrace/tracing';
import type { RestRoute } from './rest-routes';

/** Runs the work as a span of the caller's trace while spans are exported. */
export function traced(request: IncomingMessage, response: ServerResponse, route: RestRoute, work: () => void): void {
  const recorder = spanRecorder();
  if (!recorder) {
    work();
    return;
  }
  const sent = request.headers['traceparent'];
  const method = request.method ?? '';
  const span = recorder.start(`${method} ${route.kind}`, {
    kind: 'server',
    parent: typeof sent === 'string' && isTraceparent(sent) ? sent : undefined,
    attributes: { 'http.request.method': method, 'http.route': route.kind },
  });
  response.once('close', () => {
    const { statusCode } = response;
    // A refusal is an answer: only what the server itself could not do is an error of its span.
    span.end({
      fault: statusCode >= 500 ? `status ${statusCode}` : undefined,
      attributes: { 'http.response.status_code': statusCode },
    });
  });
  span.run(work);
}
