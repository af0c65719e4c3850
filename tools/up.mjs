// npm run up: installs what is missing, then runs the system in the foreground; its data stays under .headrace/.
import { runHeadrace } from './run-headrace.mjs';

await runHeadrace('up');
