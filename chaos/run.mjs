// npm run chaos [-- --scenario a,b --budget small|full --seed N]
//
// Kills what can be killed under a real Kafka, a real Postgres and processes of a small service on libs/messaging, while
// an independent publisher writes on, and counts by ids at both ends. Ends with 1 when a promise was broken.
import { parseArgs } from 'node:util';
import { Run, Interrupted } from './run-context.mjs';
import { scenarios } from './scenarios/index.mjs';

function fail(message) {
  console.error(message);
  process.exit(2);
}

function optionsOf(argv) {
  try {
    return parseArgs({
      args: argv,
      options: {
        scenario: { type: 'string' },
        budget: { type: 'string', default: 'full' },
        seed: { type: 'string', default: String(Date.now() % 1_000_000) },
        verbose: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    return fail(error.message);
  }
}

const options = optionsOf(process.argv.slice(2));
const names = Object.keys(scenarios);
const chosen = options.scenario?.split(',') ?? names;
const unknown = chosen.find((name) => !names.includes(name));
if (unknown !== undefined) fail(`--scenario: there is no "${unknown}", only ${names.join(', ')}`);
if (!['small', 'full'].includes(options.budget)) fail('--budget: small or full');
if (!/^\d{1,9}$/.test(options.seed)) fail('--seed: a whole number of at most nine digits');

const run = new Run({ full: options.budget === 'full', seed: Number(options.seed), verbose: options.verbose });
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => run.interrupt(signal));
console.log(`Budget ${options.budget}, seed ${options.seed}`);
let code = 0;
try {
  await run.start();
  for (const name of chosen) {
    const violations = await run.scenario(name, scenarios[name]);
    if (violations.length > 0) code = 1;
  }
} catch (error) {
  code = error instanceof Interrupted ? 130 : 1;
  console.error(error instanceof Interrupted ? error.message : error);
} finally {
  await run.close();
}
if (code !== 130)
  console.log(code === 0 ? `All held in ${run.seconds()} s` : `Not everything held (${run.seconds()} s)`);
process.exit(code);
