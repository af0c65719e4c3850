// What a load program tells: "warm" when it begins to measure, then
// {requests, failed, perSecond, p50Micros, p99Micros, example: <base64 of one answer>}.
export class Statistics {
  constructor() {
    this.stopped = false;
    this.reset();
  }
  reset() {
    this.requests = 0;
    this.failed = 0;
    this.latencies = [];
    this.from = performance.now();
  }
  finish(ok, milliseconds) {
    this.requests += 1;
    if (!ok) this.failed += 1;
    this.latencies.push(milliseconds);
  }
  summary() {
    const seconds = (performance.now() - this.from) / 1000;
    const sorted = Float64Array.from(this.latencies).sort();
    const quantile = (q) => Math.round((sorted[Math.floor(q * (sorted.length - 1))] ?? NaN) * 1000);
    return {
      requests: this.requests,
      failed: this.failed,
      perSecond: Math.round(this.requests / seconds),
      p50Micros: quantile(0.5),
      p99Micros: quantile(0.99),
      example: this.example,
    };
  }
}

export function tellWarmAndResult(statistics, { warmUpMs, measureMs }) {
  setTimeout(() => {
    statistics.reset();
    process.stdout.write('warm\n');
    setTimeout(() => {
      statistics.stopped = true;
      process.stdout.write(`${JSON.stringify(statistics.summary())}\n`, () => process.exit(0));
    }, measureMs);
  }, warmUpMs);
}
