// PromQL that many panels need.

/** Quantile `q` (0…1) of a histogram by labels (none: of all together), over the interval of the graph. */
export function quantile(q: number, metric: string, by = '', selector = ''): string {
  const labels = by === '' ? 'le' : `${by}, le`;
  return `histogram_quantile(${q}, sum by (${labels}) (rate(${metric}_bucket${braces(selector)}[$__rate_interval])))`;
}

/** Mean of a histogram or summary by labels; nothing while nothing is counted. */
export function mean(metric: string, by: string, selector = ''): string {
  const sum = (part: string): string => `sum by (${by}) (rate(${metric}_${part}${braces(selector)}[$__rate_interval]))`;
  return `${sum('sum')} / (${sum('count')} > 0)`;
}

/** A second, by labels. */
export function perSecond(metric: string, by: string, selector = ''): string {
  return `sum by (${by}) (rate(${metric}${braces(selector)}[$__rate_interval]))`;
}

function braces(selector: string): string {
  return selector === '' ? '' : `{${selector}}`;
}
