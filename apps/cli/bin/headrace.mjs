#!/usr/bin/env node
// The CLI is compiled to apps/cli/dist by `npm run build` (tools/install.mjs does it).
import '../dist/main.js';
