// npm run demo [-- --keep …]: installs what is missing, then runs the whole loop.
import { runHeadrace } from './run-headrace.mjs';

await runHeadrace('demo');
