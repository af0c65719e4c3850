// A copy of the alert rules whose durations are shorter by one factor: hours become seconds. Thresholds stay as they are,
// also those that are seconds (of latency, of age). One range is longer than the factor says: see SELDOM.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { repository } from '../tools/child.mjs';

const folder = join(repository, 'deploy', 'prometheus', 'rules');
const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function shorter(duration, factor, leastMs = 0) {
  const [, number, unit] = /^(\d+)(ms|s|m|h|d)$/.exec(duration) ?? [];
  if (number === undefined) throw new Error(`a rule has the duration "${duration}", which is not understood here`);
  return `${Math.max(leastMs, Math.round((Number(number) * UNITS[unit]) / factor))}ms`;
}

/** Services look at these only every ten seconds: a shorter range than this would see no change in them. */
const SELDOM = /headrace_messaging_consumer_lag_events/;
const SELDOM_MS = 25_000;

function shorterExpression(expr, factor) {
  const least = SELDOM.test(expr) ? SELDOM_MS : 0;
  return expr
    .replaceAll(/\[(\d+[a-z]+)\]/g, (_, range) => `[${shorter(range, factor, least)}]`)
    .replaceAll(/offset (\d+[a-z]+)/g, (_, offset) => `offset ${shorter(offset, factor)}`);
}

/** Groups of all rules as they are committed. */
export function committedGroups() {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.yml'))
    .flatMap((name) => parse(readFileSync(join(folder, name), 'utf8')).groups);
}

/** Text of a rule file. */
export function scaledRules(factor) {
  const groups = committedGroups().map(({ name, rules }) => ({
    name,
    rules: rules.map((rule) => ({
      ...rule,
      expr: shorterExpression(rule.expr, factor),
      ...(rule.for === undefined ? {} : { for: shorter(rule.for, factor) }),
    })),
  }));
  return stringify({ groups }, { lineWidth: 0 });
}

/** Alerts by name: their runbook's text. */
export function runbooks() {
  const alerts = committedGroups().flatMap(({ rules }) => rules.filter(({ alert }) => alert !== undefined));
  return new Map(
    alerts.map(({ alert, annotations }) => [
      alert,
      { page: annotations.runbook_url, text: readFileSync(join(repository, annotations.runbook_url), 'utf8') },
    ]),
  );
}
